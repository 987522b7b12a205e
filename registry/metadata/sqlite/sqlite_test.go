package sqlite_test

import (
	"testing"

	"tkit/registry/metadata"
	"tkit/registry/metadata/metadatatest"
	"tkit/registry/metadata/sqlite"
)

func TestSuite(t *testing.T) {
	homes := make(map[*testing.T]string)
	metadatatest.Run(t, func(t *testing.T) metadata.Store {
		if homes[t] == "" {
			homes[t] = t.TempDir()
		}
		s, err := sqlite.Open(t.Context(), homes[t])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	})
}

// Without an access policy in the home, PolicyGeneration fails.
func TestNoPolicy(t *testing.T) {
	s, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Update(t.Context(), func(w metadata.Writer) error {
		_, err := w.PolicyGeneration()
		return err
	})
	if err == nil {
		t.Error("a generation without a policy")
	}
}
