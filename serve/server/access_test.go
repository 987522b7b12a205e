package server

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pb "github.com/wamuir/graft/tensorflow/serving/apis_go_proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"tkit/access"
	"tkit/access/audit"
	"tkit/access/sqlite"
	"tkit/inference"
	"tkit/inference/inferencetest"
	"tkit/registry"
)

// A protected server serves the model digits, trained on olga's dataset scans,
// and the model free, trained on unregistered data.
type protected struct {
	Addresses
	authority *access.Authority
	root      access.Caller
	client    *http.Client
	tls       *tls.Config
	scheme    string
	home      string
	self      access.Principal
	models    *inferencetest.Home
}

// pause is the time between two looks at a state that is to change, which leaves the
// processor to the server.
const pause = 20 * time.Millisecond

var olga = access.Caller{Principal: "user:olga"}

func protect(t *testing.T, change func(*Options)) *protected {
	t.Helper()
	return protectIn(t, inferencetest.New(t), sqlite.Open, change)
}

// protectIn is protect with a home, and the store of its policy.
func protectIn(t *testing.T, home *inferencetest.Home, store access.OpenStore, change func(*Options)) *protected {
	t.Helper()
	p := &protected{root: access.Caller{Principal: "user:root"}, client: http.DefaultClient, scheme: "http", home: home.Path, models: home}
	var err error
	if p.authority, err = access.Open(t.Context(), home.Path, store, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.authority.Close() })
	if _, err := p.authority.RegisterDataset(t.Context(), p.root, "scans", t.TempDir(), "user:olga"); err != nil {
		t.Fatal(err)
	}
	if p.self, err = access.Self(); err != nil {
		t.Fatal(err)
	}
	p.give(t, access.Grant{Principal: p.self, Right: access.Use})
	home.Serve(t, "free")
	home.Lineage.Snapshots = []registry.SnapshotRef{{URI: "file:///gone", Digest: registry.Digest("sha256:" + strings.Repeat("0", 64)), Datasets: []string{"scans"}}}
	home.Serve(t, "digits")

	o := Defaults()
	o.Home, o.HTTP, o.GRPC, o.Drain, o.Log = home.Path, "127.0.0.1:0", "127.0.0.1:0", 0, slog.New(slog.DiscardHandler)
	change(&o)
	if o.TLSCert != "" {
		p.secure(t, o.TLSCert)
	}
	ctx, stop := context.WithCancel(context.Background())
	listening, ready, ended := make(chan Addresses, 1), make(chan struct{}), make(chan error, 1)
	o.Listening = func(a Addresses) { listening <- a }
	o.Ready = func([]inference.ModelStatus) { close(ready) }
	go func() { ended <- Run(ctx, o) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-ready:
		p.Addresses = <-listening
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	return p
}

// token creates a token, by default for an hour.
func (p *protected) token(t *testing.T, principal access.Principal, purpose string) string {
	t.Helper()
	_, secret, err := p.authority.CreateToken(t.Context(), p.root, access.Token{Principal: principal, Purpose: purpose, Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func (p *protected) give(t *testing.T, g access.Grant) access.Grant {
	t.Helper()
	g.Object, g.Effect = "dataset:scans", access.Allow
	given, err := p.authority.AddGrant(t.Context(), olga, g)
	if err != nil {
		t.Fatal(err)
	}
	return given
}

// ask sends an HTTP request with a token, or without.
func (p *protected) ask(t *testing.T, method, path, token string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, p.scheme+"://"+p.HTTP+path, bytes.NewReader(inferencetest.JPEG(t, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := p.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func (p *protected) classify(t *testing.T, model, token string) int {
	t.Helper()
	status, _ := p.ask(t, "POST", "/v1/models/"+model+":classify-image", token)
	return status
}

// becomes repeats a request until the response is as wanted, and fails after
// five seconds.
func (p *protected) becomes(t *testing.T, what, token string, want int) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; {
		got := p.classify(t, "digits", token)
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("five seconds after %s the answer is %d, want %d", what, got, want)
		}
		time.Sleep(pause)
	}
}

// Changes of the policy take effect on loaded models within five seconds.
func TestRevocationReachesLoadedModels(t *testing.T) {
	p := protect(t, func(o *Options) { o.Authenticate = true })
	alice := p.token(t, "user:alice", "")
	p.becomes(t, "alice got a token", alice, http.StatusForbidden)
	if got := p.classify(t, "free", alice); got != http.StatusOK {
		t.Errorf("a model that nothing restricts: %d", got)
	}
	for range 2 {
		g := p.give(t, access.Grant{Principal: "user:alice", Right: access.Use})
		p.becomes(t, "the grant", alice, http.StatusOK)
		if err := p.authority.RevokeGrant(t.Context(), olga, "dataset:scans", g.ID); err != nil {
			t.Fatal(err)
		}
		p.becomes(t, "the grant was taken back", alice, http.StatusForbidden)
	}
	p.give(t, access.Grant{Principal: "user:alice", Right: access.Use, Expires: time.Now().Add(time.Second)})
	p.becomes(t, "the grant", alice, http.StatusOK)
	p.becomes(t, "the grant expired", alice, http.StatusForbidden)

	p.give(t, access.Grant{Principal: "group:readers", Right: access.Use})
	groups := func(text string) {
		t.Helper()
		file := filepath.Join(p.home, "access", "groups.yaml")
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	groups("groups: {readers: ['user:alice']}")
	p.becomes(t, "alice joined the readers", alice, http.StatusOK)
	groups("groups: {readers: ['user:bob']}")
	p.becomes(t, "alice left the readers", alice, http.StatusForbidden)

	p.give(t, access.Grant{Principal: "user:alice", Right: access.Use})
	p.becomes(t, "the grant", alice, http.StatusOK)
	tokens, err := p.authority.Tokens(t.Context(), p.root)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.authority.RevokeToken(t.Context(), p.root, tokens[0].ID); err != nil {
		t.Fatal(err)
	}
	p.becomes(t, "the token was revoked", alice, http.StatusUnauthorized)
}

func TestWhoAsks(t *testing.T) {
	p := protect(t, func(o *Options) { o.Authenticate = true })
	p.give(t, access.Grant{Principal: "service:triage", Right: access.Use, Purpose: "triage"})
	aimless := p.token(t, "service:triage", "")
	triage := p.token(t, "service:triage", "triage") // the last: with it all of the above holds
	p.becomes(t, "the grant", triage, http.StatusOK)
	if got := p.classify(t, "digits", aimless); got != http.StatusForbidden {
		t.Errorf("a token without the purpose: %d", got)
	}
	for _, c := range []struct {
		method, path, token string
		want                int
		text                string
	}{
		{"GET", "/livez", "", 200, ""},
		{"GET", "/readyz", "", 200, ""},
		{"GET", "/metrics", "", 401, "unauthenticated"},
		{"GET", "/metrics", triage, 200, ""},
		{"GET", "/v1/models", "", 401, "unauthenticated"},
		{"GET", "/v1/models", triage, 200, "digits"},
		{"GET", "/v1/models/digits/metadata", aimless, 403, "forbidden"},
		{"GET", "/v1/models/digits/metadata", triage, 200, "labels"},
		{"POST", "/v1/models/digits:classify-image", "", 401, "unauthenticated"},
		{"POST", "/v1/models/digits:classify-image", "tkit_guess", 401, "unknown or was revoked"},
		{"POST", "/v1/models/digits:predict", aimless, 403, "forbidden"},
		{"POST", "/v1/models/digits:classify-image", aimless, 403, "service:triage may not use digits@1"},
	} {
		status, text := p.ask(t, c.method, c.path, c.token)
		if status != c.want || !strings.Contains(text, c.text) {
			t.Errorf("%s %s: %d %s, want %d %q", c.method, c.path, status, text, c.want, c.text)
		}
		if status >= 400 && (strings.Contains(text, "scans") || strings.Contains(text, "olga")) {
			t.Errorf("%s %s tells what stands behind the model: %s", c.method, c.path, text)
		}
	}
}

func TestLoopbackWithoutTokens(t *testing.T) {
	p := protect(t, func(*Options) {})
	if got := p.classify(t, "digits", ""); got != http.StatusOK {
		t.Errorf("the account that runs the server has a grant: %d", got)
	}
	if got := p.classify(t, "digits", "tkit_guess"); got != http.StatusUnauthorized {
		t.Errorf("a wrong token is no token: %d", got)
	}
}

// A server does not load versions that its own account may not use. If such a
// version is already loaded, it is not served to anybody.
func TestServersOwnRight(t *testing.T) {
	p := protect(t, func(o *Options) { o.Authenticate = true })
	alice := p.token(t, "user:alice", "")
	p.give(t, access.Grant{Principal: "user:alice", Right: access.Use})
	p.becomes(t, "the grant", alice, http.StatusOK)
	policy, err := p.authority.Policy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.authority.RevokeGrant(t.Context(), olga, "dataset:scans", policy.Grants("dataset:scans")[0].ID); err != nil {
		t.Fatal(err)
	}
	p.becomes(t, "the server's right was taken back", alice, http.StatusServiceUnavailable)
	p.models.Serve(t, "digits") // a second version, which is not loaded
	if got := p.classify(t, "free", alice); got != http.StatusOK {
		t.Errorf("another model: %d", got)
	}
	p.decided(t, "load", "digits@1", audit.Denied)
	p.decided(t, "load", "digits@2", audit.Denied)
	p.give(t, access.Grant{Principal: p.self, Right: access.Use})
	p.becomes(t, "the server got it back", alice, http.StatusOK)
	p.decided(t, "load", "digits@1", audit.Allowed)
	p.decided(t, "load", "digits@2", audit.Allowed)
}

// decided waits until the audit log has a decision, and fails after some time.
func (p *protected) decided(t *testing.T, action, version string, outcome audit.Outcome) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		for r, err := range p.authority.Log().Records(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if r.Action == action && r.Model == version && r.Outcome == outcome {
				return
			}
		}
		time.Sleep(pause)
	}
	t.Errorf("nobody decided that to %s %s is %s", action, version, outcome)
}

// secure writes a self-signed certificate for the loopback address, and makes
// the clients trust it.
func (p *protected) secure(t *testing.T, cert string) {
	t.Helper()
	raw, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(raw)
	p.tls = &tls.Config{RootCAs: roots, ServerName: "localhost"}
	p.client = &http.Client{Transport: &http.Transport{TLSClientConfig: p.tls}}
	p.scheme = "https"
}

// selfSigned writes a certificate for localhost and its key.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := errors.Join(
		os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}), 0o600)); err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// Requests to an address that other machines can reach require TLS and a token.
func TestOtherMachines(t *testing.T) {
	cert, key := selfSigned(t)
	p := protect(t, func(o *Options) { o.HTTP, o.GRPC, o.TLSCert, o.TLSKey = "0.0.0.0:0", "0.0.0.0:0", cert, key })
	reachable := func(address string) string {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		return net.JoinHostPort("127.0.0.1", port)
	}
	p.HTTP, p.GRPC = reachable(p.HTTP), reachable(p.GRPC)
	if got := p.classify(t, "free", ""); got != http.StatusUnauthorized {
		t.Errorf("without a token: %d", got)
	}
	alice := p.token(t, "user:alice", "")
	p.becomes(t, "alice got a token", alice, http.StatusForbidden)
	if got := p.classify(t, "free", alice); got != http.StatusOK {
		t.Errorf("with a token: %d", got)
	}
	if answer, err := http.Get("http://" + p.HTTP + "/v1/models"); err == nil {
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			t.Error("it answers in clear")
		}
	}

	conn, err := grpc.NewClient(p.GRPC, grpc.WithTransportCredentials(credentials.NewTLS(p.tls)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	call := func(ctx context.Context, model string) codes.Code {
		r := &pb.GetModelMetadataRequest{ModelSpec: &pb.ModelSpec{Name: model}, MetadataField: []string{"signature_def"}}
		return status.Code(conn.Invoke(ctx, "/tensorflow.serving.PredictionService/GetModelMetadata", r, &pb.GetModelMetadataResponse{}))
	}
	with := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+alice)
	for _, c := range []struct {
		name, model string
		ctx         context.Context
		want        codes.Code
	}{
		{"without a token", "free", t.Context(), codes.Unauthenticated},
		{"with a wrong token", "free", metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer x"), codes.Unauthenticated},
		{"with a token", "free", with, codes.OK},
		{"without the right", "digits", with, codes.PermissionDenied},
	} {
		if got := call(c.ctx, c.model); got != c.want {
			t.Errorf("gRPC %s: %v, want %v", c.name, got, c.want)
		}
	}
	if _, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
		t.Errorf("health: %v", err)
	}
	err = conn.Invoke(t.Context(), "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", &pb.GetModelStatusRequest{}, &pb.GetModelStatusResponse{})
	if status.Code(err) != codes.Unauthenticated {
		t.Errorf("reflection without a token: %v", err)
	}
}
