package server

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"tkit/access"
	policydb "tkit/access/postgres"
	"tkit/inference/inferencetest"
	"tkit/internal/postgres"
	"tkit/internal/postgrestest"
	"tkit/registry"
)

// While the database is down, loaded models answer those who could use them before, and
// nobody else. When it is back, the server follows it again.
func TestDatabaseDown(t *testing.T) {
	database := postgrestest.Start(t)
	address := database.Database(t)
	if err := postgres.Initialise(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	home := inferencetest.NewIn(t, func(ctx context.Context, folder string) (*registry.Registry, error) {
		return registry.OpenShared(ctx, folder, address)
	})
	p := protectIn(t, home, policydb.In(address), func(o *Options) { o.Database, o.Authenticate = address, true })
	alice, bob := p.token(t, "user:alice", ""), p.token(t, "user:bob", "")
	p.give(t, access.Grant{Principal: "user:alice", Right: access.Use})
	p.give(t, access.Grant{Principal: "user:bob", Right: access.Use})
	p.becomes(t, "the grant", alice, http.StatusOK)

	database.Stop(t)
	p.readyBecomes(t, false)
	if got := p.classify(t, "digits", alice); got != http.StatusOK {
		t.Errorf("a known caller during the outage: %d", got)
	}
	if got := p.classify(t, "digits", bob); got != http.StatusServiceUnavailable {
		t.Errorf("a new caller during the outage, whose decision cannot be recorded: %d", got)
	}

	database.Restart(t)
	p.readyBecomes(t, true)
	p.becomes(t, "the database is back", bob, http.StatusOK)
	second := home.Register(t, "digits", 2)
	home.Promote(t, "digits", second, registry.Production)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(pause) {
		_, text := p.ask(t, "GET", "/v1/models/digits", alice)
		if strings.Contains(text, `"version":"2"`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the promotion was not followed: %s", text)
		}
	}
}
