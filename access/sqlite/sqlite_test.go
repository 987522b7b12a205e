package sqlite_test

import (
	"testing"

	"tkit/access"
	"tkit/access/sqlite"
	"tkit/access/storetest"
)

func TestSuite(t *testing.T) {
	homes := make(map[*testing.T]string)
	storetest.Run(t, func(t *testing.T) access.Store {
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
