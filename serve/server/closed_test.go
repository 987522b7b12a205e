package server

import (
	"context"
	"database/sql"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	tensorpb "github.com/wamuir/graft/tensorflow/core/framework/tensor_go_proto"
	shapepb "github.com/wamuir/graft/tensorflow/core/framework/tensor_shape_go_proto"
	pb "github.com/wamuir/graft/tensorflow/serving/apis_go_proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"tkit/access"
)

// A server that can no longer read the policy allows nothing, not even
// unrestricted models, until it can read it again.
func TestPolicyCannotBeRead(t *testing.T) {
	p := protect(t, func(o *Options) { o.Authenticate = true })
	p.give(t, access.Grant{Principal: "user:alice", Right: access.Use})
	alice := p.token(t, "user:alice", "")
	p.becomes(t, "the grant", alice, http.StatusOK)
	home, err := sql.Open("sqlite", "file:"+filepath.Join(p.home, "registry.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	rename := func(from, to string) {
		t.Helper()
		if _, err := home.ExecContext(t.Context(), "ALTER TABLE "+from+" RENAME TO "+to); err != nil {
			t.Fatal(err)
		}
	}
	rename("access_generation", "gone")
	p.becomes(t, "the policy could not be read", alice, http.StatusServiceUnavailable)
	p.readyBecomes(t, false)
	for _, model := range []string{"digits", "free"} {
		if got := p.classify(t, model, alice); got != http.StatusServiceUnavailable {
			t.Errorf("%s: %d", model, got)
		}
	}
	rename("gone", "access_generation")
	p.becomes(t, "it could be read again", alice, http.StatusOK)
	p.readyBecomes(t, true)
}

// readyBecomes waits until /readyz and gRPC's health both have the expected state.
func (p *protected) readyBecomes(t *testing.T, want bool) {
	t.Helper()
	conn, err := grpc.NewClient(p.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for deadline := time.Now().Add(20 * time.Second); ; {
		code, text := p.ask(t, "GET", "/readyz", "")
		health, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if (code == http.StatusOK) == want && (health.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING) == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("ready should be %v: %d %s, gRPC %v", want, code, text, health.GetStatus())
		}
	}
}

// A revoked right has no effect any more in any method of both front ends.
func TestRevocationReachesEveryMethod(t *testing.T) {
	p := protect(t, func(o *Options) { o.Authenticate = true })
	alice := p.token(t, "user:alice", "")
	grant := p.give(t, access.Grant{Principal: "user:alice", Right: access.Use})
	conn, err := grpc.NewClient(p.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	spec := &pb.ModelSpec{Name: "digits"}
	call := func(method string, question, answer proto.Message) func() bool {
		return func() bool {
			ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+alice)
			return status.Code(conn.Invoke(ctx, "/tensorflow.serving.PredictionService/"+method, question, answer)) == codes.PermissionDenied
		}
	}
	ask := func(method, path string) func() bool {
		return func() bool {
			code, _ := p.ask(t, method, "/v1/models/digits"+path, alice)
			return code == http.StatusForbidden
		}
	}
	empty := map[string]*tensorpb.TensorProto{"images": {TensorShape: &shapepb.TensorShapeProto{}}}
	refused := map[string]func() bool{
		":classify-image":             ask("POST", ":classify-image"),
		":predict":                    ask("POST", ":predict"),
		"of a version":                ask("POST", "/versions/1:classify-image"),
		"by a label":                  ask("POST", "/labels/production:predict"),
		"metadata":                    ask("GET", "/metadata"),
		"gRPC Predict":                call("Predict", &pb.PredictRequest{ModelSpec: spec, Inputs: empty}, &pb.PredictResponse{}),
		"gRPC Predict without inputs": call("Predict", &pb.PredictRequest{ModelSpec: spec}, &pb.PredictResponse{}),
		"gRPC GetModelMetadata":       call("GetModelMetadata", &pb.GetModelMetadataRequest{ModelSpec: spec, MetadataField: []string{"signature_def"}}, &pb.GetModelMetadataResponse{}),
	}
	p.becomes(t, "the grant", alice, http.StatusOK)
	for name, is := range refused {
		if is() {
			t.Errorf("%s is refused with the right", name)
		}
	}
	if err := p.authority.RevokeGrant(context.WithoutCancel(t.Context()), olga, "dataset:scans", grant.ID); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(5 * time.Second)
	for name, is := range refused {
		for !is() {
			if time.Now().After(deadline) {
				t.Errorf("%s is answered five seconds after the right was taken back", name)
				break
			}
		}
	}
}
