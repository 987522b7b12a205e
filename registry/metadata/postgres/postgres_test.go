package postgres_test

import (
	"testing"

	pg "tkit/internal/postgres"
	"tkit/internal/postgrestest"
	"tkit/registry/metadata"
	"tkit/registry/metadata/metadatatest"
	"tkit/registry/metadata/postgres"
)

// database returns the address of a new database that is initialised.
func database(t *testing.T, s *postgrestest.Server) string {
	t.Helper()
	address := s.Database(t)
	if err := pg.Initialise(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	return address
}

func open(t *testing.T, address string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), t.TempDir(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestSuite(t *testing.T) {
	server := postgrestest.Start(t)
	databases := make(map[*testing.T]string)
	metadatatest.Run(t, func(t *testing.T) metadata.Store {
		if databases[t] == "" {
			databases[t] = database(t, server)
		}
		return open(t, databases[t])
	})
}
