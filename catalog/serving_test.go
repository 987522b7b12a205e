package catalog

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"tkit/access"
)

// Many requests of a caller write one record, and the server that loads the version
// writes one. A revocation applies to the requests after it.
func TestServingDecidesOnce(t *testing.T) {
	f := newFixture(t)
	grant := f.grant(t, "user:alice", access.Use)[0]
	alice := access.Caller{Principal: "user:alice"}
	m := f.manifest(t.Context(), m2)
	s, err := f.Serve(t.Context(), ServingOptions{Server: f.account, Every: 10 * time.Millisecond, Log: discard})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before := f.records(t)
	var requests sync.WaitGroup
	for range 50 {
		requests.Go(func() {
			if err := s.AuthorizeUse(t.Context(), alice, "m@2", m); err != nil {
				t.Error(err)
			}
		})
	}
	requests.Wait()
	if n := f.records(t) - before; n != 2 {
		t.Errorf("%d records, want 2", n)
	}
	if err := f.RevokeGrant(t.Context(), olga, scans, grant.ID); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !errors.Is(s.AuthorizeUse(ctx, alice, "m@2", m), access.ErrDenied) {
		if ctx.Err() != nil {
			t.Fatal("a revoked grant still counts")
		}
		time.Sleep(time.Millisecond)
	}
}

// A server reads the files of a version only if its account may use the version.
func TestServingReads(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		server access.Caller
		want   error
	}{{f.account, nil}, {mallory, ErrUnavailable}} {
		s, err := f.Serve(t.Context(), ServingOptions{Server: c.server, Every: time.Second, Log: discard})
		if err != nil {
			t.Fatal(err)
		}
		before := f.records(t)
		files, err := s.Versions().Files(t.Context(), m2, "data.json")
		if !errors.Is(err, c.want) || (files.Manifest == nil) != (c.want != nil) || (files.Attachment == "") != (c.want != nil) {
			t.Errorf("%s: %+v, %v", c.server.Principal, files, err)
		}
		if n := f.records(t) - before; n != 1 {
			t.Errorf("%s: %d records, want 1", c.server.Principal, n)
		}
		s.Close()
	}
}

func TestServingAuthenticates(t *testing.T) {
	f := newFixture(t)
	token, secret, err := f.CreateToken(t.Context(), olga, TokenOptions{Purpose: "triage", Expires: soon()})
	if err != nil {
		t.Fatal(err)
	}
	for _, anonymous := range []access.Caller{nobody, f.account} {
		s, err := f.Serve(t.Context(), ServingOptions{Server: f.account, Anonymous: anonymous, Every: time.Second, Log: discard})
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Authenticate("Bearer " + secret)
		if err != nil || c.Principal != token.Principal || c.Purpose != "triage" {
			t.Errorf("by token: %+v, %v", c, err)
		}
		if _, err := s.Authenticate("Bearer tkit_x"); !errors.Is(err, access.ErrUnauthenticated) {
			t.Errorf("by an unknown token: %v", err)
		}
		c, err = s.Authenticate("")
		if known := anonymous.Principal != ""; c.Principal != anonymous.Principal || (err == nil) != known {
			t.Errorf("without a token: %+v, %v", c, err)
		}
		s.Close()
	}
}

// A server whose account may not use a version does not load it for any caller.
func TestServingNeedsItsOwnRight(t *testing.T) {
	f := newFixture(t)
	s, err := f.Serve(t.Context(), ServingOptions{Server: mallory, Every: time.Second, Log: discard})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.AuthorizeLoad(t.Context(), "m@2", f.manifest(t.Context(), m2)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("load: %v", err)
	}
	if err := s.AuthorizeUse(t.Context(), olga, "m@2", f.manifest(t.Context(), m2)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("use: %v", err)
	}
}
