// Package tables formats what the catalog returns as the rows of tables and as lines
// for terminals.
package tables

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"tkit/access"
	"tkit/access/audit"
	"tkit/catalog"
	"tkit/internal/present"
	"tkit/internal/printable"
	"tkit/registry"
	"tkit/registry/blobs"
)

// The headers of the rows below.
var (
	Grant       = []string{"grant", "effect", "principal", "right", "only for", "until", "by", "given", "why"}
	Token       = []string{"id", "principal", "until", "purpose", "created", "by", "note"}
	AuditRecord = []string{"number", "time", "who", "did", "with", "outcome", "why"}
	Dataset     = []string{"dataset", "owner", "snapshots", "registered", "place"}
	Snapshot    = []string{"digest", "examples", "first found", "by"}
	CachePart   = []string{"folder", "restricted", "last used", "size"}
)

// GrantRow is the row of a grant.
func GrantRow(g access.Grant) []string {
	return []string{strconv.FormatInt(g.ID, 10), string(g.Effect), string(g.Principal), string(g.Right),
		present.OrDash(g.Purpose), present.Until(g.Expires), string(g.By), present.Time(g.At), g.Reason}
}

// TokenRow is the row of a token, which may have expired.
func TokenRow(t access.Token) []string {
	state := present.Time(t.Expires)
	if !time.Now().Before(t.Expires) {
		state = "expired"
	}
	return []string{t.ID, string(t.Principal), state, present.OrDash(t.Purpose), present.Time(t.Created), string(t.By), t.Note}
}

// AuditRecordRow is the row of a record of the audit log.
func AuditRecordRow(r audit.Record) []string {
	about := r.Object
	if r.Model != "" {
		about = strings.TrimSpace(r.Model + " by " + r.Object)
	}
	return []string{strconv.FormatInt(r.Sequence, 10), present.Time(r.At), r.Who, r.Action, about, string(r.Outcome), r.Reason}
}

// DatasetRow is the row of a registered dataset.
func DatasetRow(d catalog.ListedDataset) []string {
	return []string{d.Name, string(d.Owner), strconv.Itoa(d.Snapshots), present.Time(d.Created), d.URI}
}

// SnapshotRow is the row of a dataset's snapshot.
func SnapshotRow(s access.Snapshot) []string {
	return []string{s.Digest, strconv.Itoa(s.Entries), present.Time(s.At), string(s.By)}
}

// CachePartRow is the row of a part of the cache.
func CachePartRow(p catalog.CachePart) []string {
	return []string{p.Folder, present.YesNo(p.Restricted), present.Time(p.Used), present.Bytes(p.Bytes)}
}

// WriteProblems writes what the verification of the registry has found.
func WriteProblems(w io.Writer, problems []registry.Problem) error {
	if len(problems) == 0 {
		_, err := fmt.Fprintln(w, "everything is unchanged since its registration")
		return err
	}
	for _, p := range problems {
		if _, err := printable.Fprintf(w, "%s: %s\n", p.Subject, p.Detail); err != nil {
			return err
		}
	}
	return nil
}

// ProblemsError returns an error if the verification of the registry has found
// problems.
func ProblemsError(problems []registry.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("registry: %d found; to repair a blob, register the same content again; restore everything else from a backup", len(problems))
}

// WriteCollected writes which unused files were removed or, in a dry run, would be.
func WriteCollected(w io.Writer, c blobs.Collected, dry bool) error {
	for _, b := range c.Blobs {
		if _, err := printable.Fprintf(w, "%s  %s\n", b.Digest, present.Bytes(b.Size)); err != nil {
			return err
		}
	}
	did := "removed"
	if dry {
		did = "would remove"
	}
	_, err := printable.Fprintf(w, "%s %d unused and %d unfinished files, %s\n", did, len(c.Blobs), c.Leavings, present.Bytes(c.Bytes))
	return err
}

// WriteRights writes which rights a caller has, and why.
func WriteRights(w io.Writer, who access.Caller, rights []catalog.RightDecision) error {
	return present.Rows(w, []string{"right", string(who.Principal), "why"}, rights, func(r catalog.RightDecision) []string {
		return []string{string(r.Right), present.YesNo(r.Allowed), r.Reason}
	})
}

// Restrictions says what restricts a version, in a sentence each.
func Restrictions(a catalog.VersionAccess) (lines []string) {
	for _, object := range a.RestrictedBy {
		owner, registered := a.Owners[object]
		if !registered {
			owner = "nobody here: it is not registered, and so nobody is allowed"
		}
		lines = append(lines, fmt.Sprintf("%s is restricted by %s, owned by %s", a.Version, object, owner))
	}
	for _, d := range a.Declassified {
		lines = append(lines, fmt.Sprintf("declassification %d: %s without %s until %s, by %s: %s", d.ID, d.Right, d.Dataset, present.Until(d.Expires), d.By, d.Reason))
	}
	return lines
}
