package datasets_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"tkit/datasets"
	"tkit/datasets/sourcetest"
)

// One unreadable file of a thousand ends a snapshot with AllOrNothing, whether
// opening or, as in HDFS, reading is denied.
func TestAllOrNothing(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "0500.png", Err: fs.ErrPermission}
	for name, odd := range map[string]memoryFile{
		"when opened": {key: "a/0500.png", open: denied},
		"when read":   {key: "a/0500.png", bytes: []byte("x"), read: denied},
	} {
		t.Run(name, func(t *testing.T) {
			var all []memoryFile
			for i := range 1000 {
				all = append(all, memoryFile{key: fmt.Sprintf("a/%04d.png", i), bytes: sourcetest.Picture(i)})
			}
			all[500] = odd
			_, report, err := datasets.TakeSnapshot(t.Context(), of(all...), datasets.SnapshotOptions{AllOrNothing: true})
			if report != nil || !errors.Is(err, fs.ErrPermission) || !errors.Is(err, datasets.ErrDenied) || !strings.Contains(err.Error(), "a/0500.png") {
				t.Errorf("got %v", err)
			}
			s, report, err := datasets.TakeSnapshot(t.Context(), of(all...), datasets.SnapshotOptions{})
			if err != nil || len(s.Entries) != 999 || len(report.Quarantined) != 1 || report.Quarantined[0].Reason != datasets.Denied {
				t.Errorf("otherwise it is left out by name: %v", err)
			}
		})
	}
}
