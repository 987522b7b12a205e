package catalog

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tkit/access"
	"tkit/datasets/pictures"
	"tkit/registry"
)

// An operation of the table: what it does, who has the right to it, and how many
// records it writes.
type operation struct {
	name string
	// may is the caller with the right to it; nil means olga.
	may func(f *fixture) access.Caller
	do  func(ctx context.Context, f *fixture, who access.Caller) error
	// allowed and refused are the records of the right caller and of mallory.
	allowed, refused int
	// open reports whether mallory may do it, too, perhaps with a smaller result.
	open bool
}

func administrator(f *fixture) access.Caller { return f.account }

var (
	change = registry.Change{Actor: "test"}
	m1     = registry.Ref{Model: "m", Version: 1}
	m2     = registry.Ref{Model: "m", Version: 2}
	live   = registry.Ref{Model: "m", Alias: registry.Production}
	scans  = access.Dataset("scans")
)

var operations = []operation{
	{name: "RegisterDataset", may: administrator, allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.RegisterDataset(ctx, who, DatasetOptions{Name: "more", URI: filepath.Dir(f.home)})
		return err
	}},
	{name: "ListDatasets", allowed: 1, refused: 1, open: true, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		listed, err := f.ListDatasets(ctx, who)
		if err == nil && len(listed) == 0 {
			err = access.ErrDenied
		}
		return err
	}},
	{name: "ShowDataset", allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.ShowDataset(ctx, who, "scans")
		return err
	}},
	{name: "DatasetSnapshots", allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.DatasetSnapshots(ctx, who, "scans")
		return err
	}},
	{name: "OpenDataset", allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		d, err := f.OpenDataset(ctx, who, "check", "scans")
		if err != nil {
			return err
		}
		return d.Close()
	}},
	{name: "OpenDataset, unregistered", may: administrator, allowed: 0, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		d, err := f.OpenDataset(ctx, who, "check", f.plain)
		if err != nil {
			return err
		}
		return d.Close()
	}},
	{name: "CheckDataset", allowed: 2, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error { // decided again by its content
		_, err := f.CheckDataset(ctx, who, "scans", CheckOptions{LookAlikes: pictures.Ignore, Page: true})
		return err
	}},
	{name: "BeginTraining", allowed: 2, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		r, err := f.BeginTraining(ctx, who, TrainingOptions{Data: "scans"}) // decided again when it is opened
		if err != nil {
			return err
		}
		return r.End(nil)
	}},
	{name: "BeginTraining, with a base", allowed: 6, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		r, err := f.BeginTraining(ctx, who, TrainingOptions{Data: "scans", Base: "m@2"})
		if err != nil {
			return err
		}
		return r.End(nil)
	}},
	{name: "BeginTraining, with a stored base", allowed: 2, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		r, err := f.BeginTraining(ctx, who, TrainingOptions{Data: "scans", Base: "stored"})
		if err != nil {
			return err
		}
		return r.End(nil)
	}},
	{name: "ListBases", open: true, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.ListBases(ctx, who)
		return err
	}},
	{name: "ShowBase", open: true, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.ShowBase(ctx, who, "stored")
		return err
	}},
	{name: "OpenBase", open: true, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, n, err := f.OpenBase(ctx, who, "stored")
		if err != nil {
			return err
		}
		return n.Close()
	}},
	{name: "ImportBase", may: administrator, allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.ImportBase(ctx, who, "another", func(ctx context.Context) (registry.NewBase, error) { return f.newBase(ctx, m2) })
		return err
	}},
	{name: "RemoveBase", may: administrator, allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.RemoveBase(ctx, who, "stored")
		return err
	}},
	{name: "UseVersion", allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		u, err := f.UseVersion(ctx, who, m2)
		if err != nil {
			return err
		}
		return u.End(nil)
	}},
	{name: "ListModels", open: true, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.ListModels(ctx, who)
		return err
	}},
	{name: "ListVersions", allowed: 1, refused: 1, open: true, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		versions, err := f.ListVersions(ctx, who, "m")
		if err == nil && len(versions[0].Manifest.Labels) == 0 {
			err = access.ErrDenied
		}
		return err
	}},
	{name: "ShowVersion", allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.ShowVersion(ctx, who, m2)
		return err
	}},
	{name: "Attachment", allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		r, err := f.Attachment(ctx, who, m2, "data.json")
		if err != nil {
			return err
		}
		return r.Close()
	}},
	{name: "Export", allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.Export(ctx, who, m2, ExportOptions{Folder: filepath.Join(filepath.Dir(f.data), "exported-"+who.Principal.Name())})
		return err
	}},
	{name: "VersionAccess", open: true, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.VersionAccess(ctx, who, m2)
		return err
	}},
	{name: "VersionsPinning", open: true, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.VersionsPinning(ctx, who, "sha256:1")
		return err
	}},
	{name: "VerifyRegistry", may: administrator, allowed: 0, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.VerifyRegistry(ctx, who)
		return err
	}},
	{name: "Cache", may: administrator, allowed: 0, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.Cache(ctx, who)
		return err
	}},
	{name: "ClearCache", may: administrator, allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.ClearCache(ctx, who)
		return err
	}},
	{name: "Promote", allowed: 2, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.Promote(ctx, who, m1, "", change)
		return err
	}},
	{name: "Rollback", allowed: 2, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.Rollback(ctx, who, live, change)
		return err
	}},
	{name: "RemoveAlias", allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		return f.RemoveAlias(ctx, who, live, change)
	}},
	{name: "RemoveVersions", allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.RemoveVersions(ctx, who, m1, change)
		return err
	}},
	{name: "RemoveDataset", allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		return f.RemoveDataset(ctx, who, "spare", "")
	}},
	{name: "History", open: true, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.History(ctx, who, "m")
		return err
	}},
	{name: "Bind", allowed: 2, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error { // from 2 to 1
		_, err := f.Bind(ctx, who, registry.BindingChange{Application: "web", Model: "m", To: registry.Choice{Version: 1}, By: change})
		return err
	}},
	{name: "Bindings", open: true, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.Bindings(ctx, who, "", "m")
		return err
	}},
	{name: "AssignmentsAt", open: true, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.AssignmentsAt(ctx, who, "m", time.Now())
		return err
	}},
	{name: "ChangeProperties", allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		return f.ChangeProperties(ctx, who, registry.PropertyChange{Model: "m", Version: 1, State: registry.Deprecated, By: change})
	}},
	{name: "ChangeProperties, of a model", allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		return f.ChangeProperties(ctx, who, registry.PropertyChange{Model: "m", Tags: map[string]string{"team": "a"}, By: change})
	}},
	{name: "Properties", allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.Properties(ctx, who, "m", 1)
		return err
	}},
	{name: "Properties, of a model", open: true, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.Properties(ctx, who, "m", 0)
		return err
	}},
	{name: "ShowGrants", allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.ShowGrants(ctx, who, scans)
		return err
	}},
	{name: "AddGrants", allowed: 2, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.AddGrants(ctx, who, GrantOptions{Object: scans, Effect: access.Allow, Principal: "user:bob", Rights: []access.Right{access.List, access.Read}})
		return err
	}},
	{name: "RevokeGrant", allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		return f.RevokeGrant(ctx, who, scans, 1)
	}},
	{name: "SetOwner", allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		return f.SetOwner(ctx, who, scans, "user:otto")
	}},
	{name: "ProtectModel", allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.ProtectModel(ctx, who, "m", "")
		return err
	}},
	{name: "Declassify", allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.Declassify(ctx, who, DeclassifyOptions{Version: m1, Dataset: "scans", Right: access.Use, Expires: soon(), Reason: "approved"})
		return err
	}},
	{name: "Reclassify", allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		return f.Reclassify(ctx, who, 1)
	}},
	{name: "WhoAmI", open: true, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.WhoAmI(ctx, who)
		return err
	}},
	{name: "CreateToken", may: administrator, allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, _, err := f.CreateToken(ctx, who, TokenOptions{Principal: "user:bob", Expires: soon()})
		return err
	}},
	{name: "ListTokens", open: true, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.ListTokens(ctx, who)
		return err
	}},
	{name: "RevokeToken", allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		return f.RevokeToken(ctx, who, f.token)
	}},
	{name: "AuditRecords", may: administrator, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.AuditRecords(ctx, who, 1)
		return err
	}},
	{name: "VerifyAudit", may: administrator, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := f.VerifyAudit(ctx, who)
		return err
	}},
	{name: "Serve", open: true, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		s, err := f.Serve(ctx, ServingOptions{Server: who, Every: time.Second, Log: discard})
		if err == nil {
			s.Close()
		}
		return err
	}},
	{name: "Serving.AuthorizeUse", allowed: 2, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		return f.serving(func(s *Serving) error { // and the server loads it
			return s.AuthorizeUse(ctx, who, "m@2", f.manifest(ctx, m2))
		})
	}},
	{name: "AcceptHome", may: administrator, allowed: 1, refused: 0, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		if err := f.forgetRecords(ctx); err != nil {
			return err
		}
		return AcceptHome(ctx, who, Options{Home: f.home}, "restored a backup")
	}},
	{name: "Collect", may: administrator, allowed: 1, refused: 1, do: func(ctx context.Context, f *fixture, who access.Caller) error {
		_, err := Collect(ctx, who, Options{Home: f.home, Groups: noGroups{}}, CollectOptions{})
		return err
	}},
}

// TestOperations runs every operation for the anonymous caller, for mallory, who has
// no right, and for a caller with the right, and counts the records.
func TestOperations(t *testing.T) {
	for i, o := range operations {
		t.Run(strconv.Itoa(i)+" "+o.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			may := olga
			if o.may != nil {
				may = o.may(f)
			}
			refused := "denied"
			if o.open && o.refused == 0 {
				refused = "allowed"
			}
			for _, c := range []struct {
				who     access.Caller
				want    string
				records int
			}{{nobody, "unauthenticated", 0}, {mallory, refused, o.refused}, {may, "allowed", o.allowed}} {
				before := f.records(t)
				err := o.do(t.Context(), f, c.who)
				if got := outcome(err); got != c.want {
					t.Errorf("%q: %s, want %s", c.who.Principal, got, c.want)
				}
				if n := f.records(t) - before; n != c.records {
					t.Errorf("%q: %d records, want %d", c.who.Principal, n, c.records)
				}
			}
		})
	}
}

// others are the exported functions and methods that are not operations: they need no
// right, or belong to an operation of the table.
var others = []string{
	"Open", "OpenToRead", "Catalog.Close", "Self", "Options.Check", "Options.Exists", "InitDatabase", "CheckTraining", // need no right
	"OptionError.Error", "OptionError.Unwrap", "UnknownError.Error", "UnknownError.Unwrap", "Base.String", "Base.Random",
	"OpenDataset.Found", "OpenDataset.Close", // of Catalog.OpenDataset
	"Use.Context", "Use.Files", "Use.End", // of UseVersion, for its version
	// Part of BeginTraining. Found and Register decide again, and Promote calls
	// Catalog.Promote.
	"TrainingRun.Context", "TrainingRun.NewWorkFolder", "TrainingRun.AllOrNothing", "TrainingRun.Found", "TrainingRun.MayRead",
	"TrainingRun.Base", "TrainingRun.BaseNetwork", "TrainingRun.DerivedFolder", "TrainingRun.Register", "TrainingRun.Promote", "TrainingRun.End",
	// Part of Serve, for the server and not for a caller; see TestServingReads.
	"Serving.Ready", "Serving.Authenticate", "Serving.AuthorizeLoad", "Serving.Restrictions", "Serving.DerivedFolder", "Serving.Close",
	"Serving.Versions", "Versions.List", "Versions.Resolve", "Versions.Files", "Versions.Generation", "Versions.Watch",
}

// Every exported function and method of the package is in the table or in others.
func TestTableIsComplete(t *testing.T) {
	names := exported(t)
	for _, name := range names {
		inTable := slices.ContainsFunc(operations, func(o operation) bool { return o.name == strings.TrimPrefix(name, "Catalog.") })
		if inTable == slices.Contains(others, name) {
			t.Errorf("%s is in the table: %t; list it there, or with the functions that are no operations", name, inTable)
		}
	}
	for _, name := range others {
		if !slices.Contains(names, name) {
			t.Errorf("there is no %s", name)
		}
	}
}

// exported returns the names of the package's functions, and of its methods as in
// "Catalog.Open".
func exported(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() {
				continue
			}
			name := f.Name.Name
			if f.Recv != nil {
				receiver := strings.TrimPrefix(types.ExprString(f.Recv.List[0].Type), "*")
				if !ast.IsExported(receiver) {
					continue
				}
				name = receiver + "." + name
			}
			names = append(names, name)
		}
	}
	return names
}
