// Policy decides who may use a version, by a policy of 10,000 grants on 100
// datasets in HDFS, two of which were used for the version. The callers are in
// ten groups; half of them are allowed, half refused. The figure is the median
// over rounds of 2,000 decisions, for the slower of the two halves: first of
// the decision alone, as made by a server for a caller for the first time since
// the last change, then with its record in the audit log on this machine's
// disk. A server caches its decisions.
//
//	go run ./bench/policy
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"tkit/access"
	"tkit/access/sqlite"
	"tkit/bench/measure"
)

const (
	datasets = 100
	grants   = 10_000
	bound    = 50.0 // µs
)

func main() {
	rounds := flag.Int("rounds", 51, "rounds of 2,000 decisions")
	recorded := flag.Int("recorded", 101, "decisions that are recorded")
	flag.Parse()
	rows, err := bench(context.Background(), *rounds, *recorded)
	if err == nil {
		err = measure.Print(rows...)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "policy:", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, rounds, recorded int) (_ []measure.Row, err error) {
	p := policy()
	var slower float64
	for _, who := range []access.Caller{caller("user:u7"), caller("user:stranger")} {
		alone, err := decide(p, who, rounds)
		if err != nil {
			return nil, err
		}
		slower = max(slower, alone)
	}
	home, err := os.MkdirTemp("", "bench-policy-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()
	written, err := record(ctx, home, p, recorded)
	if err != nil {
		return nil, err
	}
	return []measure.Row{
		{
			What: "policy decision on a version, 10,000 grants", Against: fmt.Sprintf("%.0f µs", bound),
			Measured: slower, Unit: "µs", Ratio: slower / bound, Target: 1, AtMost: true,
		},
		{
			What: "the same with its record on disk", Against: "the decision alone",
			Measured: written, Reference: slower, Unit: "µs", Ratio: written / slower, Note: "once for each caller, version and state of the policy",
		},
	}, nil
}

func name(i int) string { return fmt.Sprintf("data-%03d", i) }

// policy has the same number of grants on each dataset, a tenth of them for
// groups.
func policy() *access.Policy {
	r := access.Rules{Owners: make(map[access.Object]access.Principal)}
	for i := range datasets {
		r.Owners[access.Dataset(name(i))] = "user:olga"
		r.Datasets = append(r.Datasets, access.Registered{Name: name(i), URI: "hdfs://nn:8020/data/" + name(i)})
		for k := range grants / datasets {
			g := access.Grant{ID: int64(len(r.Grants) + 1), Object: access.Dataset(name(i)), Effect: access.Allow, Right: access.Use, Principal: access.User(fmt.Sprint("u", k))}
			if k%10 == 0 {
				g.Principal = access.Group(fmt.Sprint("g", k))
			}
			r.Grants = append(r.Grants, g)
		}
	}
	return access.NewPolicy(r)
}

// caller returns a principal in ten groups without grants.
func caller(p access.Principal) access.Caller {
	who := access.Caller{Principal: p}
	for k := range 10 {
		who.Groups = append(who.Groups, access.Group(fmt.Sprint("team", k)))
	}
	return who
}

func lineage() []access.Origin {
	var data []access.Data
	for _, i := range []int{42, 77} {
		data = append(data, access.Data{Datasets: []string{name(i)}, URI: "hdfs://nn:8020/data/" + name(i), Digest: fmt.Sprint("sha256:", i)})
	}
	return []access.Origin{{Version: "m@1", Model: "model:m", Data: data}}
}

// decide returns the time of one decision, in µs.
func decide(p *access.Policy, who access.Caller, rounds int) (float64, error) {
	const decisions = 2000
	behind := lineage()
	var took []float64
	for range rounds {
		began := time.Now()
		for range decisions {
			if d := p.DecideVersion(who, access.Use, behind, began); d.Allowed != (who.Principal == "user:u7") {
				return 0, fmt.Errorf("%s: %s", who.Principal, d.Reason)
			}
		}
		took = append(took, float64(time.Since(began).Nanoseconds())/1000/decisions)
	}
	return measure.Median(took), nil
}

// record returns the time of a decision with its record, in µs.
func record(ctx context.Context, home string, p *access.Policy, n int) (_ float64, err error) {
	a, err := access.Open(ctx, home, sqlite.Open, nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	var took []float64
	for range n {
		began := time.Now()
		if _, err := a.AuthorizeBy(ctx, p, caller("user:u7"), access.Request{Action: "serve", Right: access.Use, Lineage: lineage()}); err != nil {
			return 0, err
		}
		took = append(took, float64(time.Since(began).Nanoseconds())/1000)
	}
	return measure.Median(took), nil
}
