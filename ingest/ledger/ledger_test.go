package ledger_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"golang.org/x/sync/errgroup"

	"tkit/ingest/ledger"
)

func TestLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l, err := ledger.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	entry := func(i int) ledger.Entry {
		return ledger.Entry{Path: fmt.Sprintf("%d.jpg", i), Size: int64(i), Modified: 17, Inode: 1<<64 - 1 - uint64(i)}
	}
	var all errgroup.Group
	for i := range 2000 {
		all.Go(func() error { return l.Record(t.Context(), entry(i)) })
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Record(t.Context(), entry(1)); err == nil {
		t.Error("a closed ledger records")
	}
	if l, err = ledger.Open(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	check := func(e ledger.Entry, want bool) {
		t.Helper()
		if got, err := l.Delivered(t.Context(), e); err != nil || got != want {
			t.Errorf("%+v delivered: %t, %v", e, got, err)
		}
	}
	for i := range 2000 {
		check(entry(i), true)
	}
	other := entry(1)
	other.Modified++
	check(other, false)
	if err := l.Record(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	check(other, true)
	check(entry(1), false)
	check(entry(2000), false)
}
