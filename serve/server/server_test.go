package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"tkit/inference"
	"tkit/inference/inferencetest"
)

// childVariable makes the test binary a server with the options in it.
const childVariable = "TKIT_TEST_SERVER"

func TestMain(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		child(text)
		return
	}
	os.Exit(m.Run())
}

// An event is a line that the child writes.
type event struct {
	Listening *Addresses
	Ready     []inference.ModelStatus
}

func child(text string) {
	o := Defaults()
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		panic(err)
	}
	o.Log = slog.New(slog.NewJSONHandler(os.Stderr, nil))
	out := json.NewEncoder(os.Stdout)
	o.Listening = func(a Addresses) { out.Encode(event{Listening: &a}) }
	o.Ready = func(m []inference.ModelStatus) { out.Encode(event{Ready: m}) }
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := Run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A process is a server in a separate process.
type process struct {
	*exec.Cmd
	addresses Addresses
	events    *bufio.Scanner
	log       *bytes.Buffer
}

// spawn starts a server of a home and returns when it is ready.
func spawn(t *testing.T, home string, drain, grace time.Duration) *process {
	t.Helper()
	return spawnWith(t, map[string]any{"Home": home, "Drain": drain, "Grace": grace})
}

// spawnWith starts a server with options and returns when it is ready.
func spawnWith(t *testing.T, given map[string]any) *process {
	t.Helper()
	given["HTTP"], given["GRPC"] = "127.0.0.1:0", "127.0.0.1:0"
	options, err := json.Marshal(given)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(os.Args[0]), log: &bytes.Buffer{}}
	p.Env = append(os.Environ(), childVariable+"="+string(options))
	p.Stderr = p.log
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill() })
	p.events = bufio.NewScanner(out)
	p.addresses = *p.next(t).Listening
	if ready := p.next(t).Ready; len(ready) == 0 {
		t.Fatalf("ready with nothing: %s", p.log)
	}
	return p
}

func (p *process) next(t *testing.T) event {
	t.Helper()
	var e event
	if !p.events.Scan() {
		t.Fatalf("the server ended: %v, %v\n%s", p.events.Err(), p.Wait(), p.log)
	}
	if err := json.Unmarshal(p.events.Bytes(), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// patient waits until the server requests the body before it sends it: once the
// first bytes are read, the request is in progress.
var patient = http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}

// post sends a body, which may be slow, to the process.
func (p *process) post(body io.Reader) (int, string, error) {
	r, err := http.NewRequest("POST", "http://"+p.addresses.HTTP+"/v1/models/digits:classify-image", body)
	if err != nil {
		return 0, "", err
	}
	r.ContentLength = -1
	r.Header.Set("Expect", "100-continue")
	answer, err := patient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

func (p *process) ready() (int, error) {
	// A new connection each time, like a load balancer's probe.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + p.addresses.HTTP + "/readyz")
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	return answer.StatusCode, nil
}

// On SIGTERM a process first reports that it is not ready while it still serves
// requests, then lets requests in flight finish, and exits with status 0.
func TestTermDrains(t *testing.T) {
	home := inferencetest.New(t)
	home.Serve(t, "digits")
	p := spawn(t, home.Path, 2*time.Second, time.Minute)
	image := inferencetest.JPEG(t, 1)
	if status, text, err := p.post(bytes.NewReader(image)); status != http.StatusOK {
		t.Fatalf("%d %s %v", status, text, err)
	}
	conn, err := grpc.NewClient(p.addresses.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	health := func() grpc_health_v1.HealthCheckResponse_ServingStatus {
		answer, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
		if err != nil {
			t.Error(err)
		}
		return answer.GetStatus()
	}
	if s := health(); s != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("health is %v", s)
	}

	// A request that is half sent when the signal arrives.
	reader, writer := io.Pipe()
	type answer struct {
		status int
		text   string
		err    error
	}
	slow := make(chan answer, 1)
	go func() {
		status, text, err := p.post(reader)
		slow <- answer{status, text, err}
	}()
	if _, err := writer.Write(image[:100]); err != nil {
		t.Fatal(err)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for { // until the signal has arrived
		status, err := p.ready()
		if err != nil {
			t.Fatalf("the server stopped listening before it said that it would: %v", err)
		}
		if status == http.StatusServiceUnavailable {
			break
		}
		time.Sleep(pause)
	}
	if s := health(); s != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("while draining, health is %v", s)
	}
	if status, text, err := p.post(bytes.NewReader(image)); status != http.StatusOK {
		t.Errorf("while draining: %d %s %v", status, text, err)
	}
	for { // until it listens no more
		if _, err := p.ready(); err != nil {
			break
		}
		time.Sleep(pause)
	}
	if _, err := writer.Write(image[100:]); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	if a := <-slow; a.status != http.StatusOK {
		t.Errorf("the request in flight: %d %s %v", a.status, a.text, a.err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("the process ended with %v\n%s", err, p.log)
	}
}

// A request that never ends does not keep the process longer than its grace.
func TestGraceEnds(t *testing.T) {
	home := inferencetest.New(t)
	home.Serve(t, "digits")
	p := spawn(t, home.Path, 0, 100*time.Millisecond)
	reader, writer := io.Pipe()
	failed := make(chan error, 1)
	go func() {
		_, _, err := p.post(reader)
		failed <- err
	}()
	if _, err := writer.Write([]byte("only the beginning")); err != nil {
		t.Fatal(err)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Errorf("the process ended with %v\n%s", err, p.log)
	}
	// The client's transport waits for the end of its body before it reports
	// the end of the connection.
	writer.Close()
	if err := <-failed; err == nil {
		t.Error("the endless request was answered")
	}
	if !strings.Contains(p.log.String(), "cut off") {
		t.Errorf("the log does not say that a request was cut off:\n%s", p.log)
	}
}

func TestRunRefuses(t *testing.T) {
	home := inferencetest.New(t)
	home.Serve(t, "digits")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, test := range []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"all interfaces", func(o *Options) { o.HTTP = ":8501" }, "a certificate and its key, or use 127.0.0.1:8501"},
		{"another interface", func(o *Options) { o.GRPC = "192.0.2.1:8500" }, "a certificate and its key"},
		{"all interfaces, IPv6", func(o *Options) { o.GRPC = "[::]:8500" }, "a certificate and its key"},
		{"a certificate without a key", func(o *Options) { o.TLSCert = "cert.pem" }, "one of a certificate and its key is missing"},
		{"no certificate", func(o *Options) { o.TLSCert, o.TLSKey = "cert.pem", "key.pem" }, "cert.pem"},
		{"no groups", func(o *Options) { o.Groups = "groups.yaml" }, "groups.yaml"},
		{"a taken port", func(o *Options) { o.HTTP = taken.Addr().String() }, "in use"},
		{"no address", func(o *Options) { o.HTTP, o.GRPC = "", "" }, "neither"},
		{"nonsense", func(o *Options) { o.HTTP = "here" }, "here"},
		{"an unknown model", func(o *Options) { o.Models = []string{"flowers"} }, "flowers"},
		{"an unknown version", func(o *Options) { o.Models = []string{"digits@9"} }, "digits@9"},
		{"an unknown alias", func(o *Options) { o.Models = []string{"digits@champion"} }, "champion"},
		{"a bad reference", func(o *Options) { o.Models = []string{"Digits!"} }, "Digits!"},
		{"an unknown precision", func(o *Options) { o.Precision = "fp64" }, "fp64"},
		{"a batch of none", func(o *Options) { o.MaxBatch = 0 }, "images in a batch"},
		{"an origin for all", func(o *Options) { o.Origins = []string{"*"} }, "origin"},
		{"an origin with a path", func(o *Options) { o.Origins = []string{"https://lab.example.org/"} }, "lab.example.org"},
		{"a queue shorter than a request", func(o *Options) { o.MaxQueue = 1 }, "queue is shorter"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := Defaults()
			o.Home, o.HTTP, o.GRPC, o.Log = home.Path, "127.0.0.1:0", "127.0.0.1:0", slog.New(slog.DiscardHandler)
			o.Listening = func(Addresses) { t.Error("it listens") }
			test.change(&o)
			err := Run(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestLocal(t *testing.T) {
	handler := local(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	for _, test := range []struct {
		host string
		want int
	}{
		{"localhost:8501", http.StatusNoContent},
		{"127.0.0.1", http.StatusNoContent},
		{"[::1]:8501", http.StatusNoContent},
		{"rebound.example:8501", http.StatusMisdirectedRequest},
		{"192.0.2.1:8501", http.StatusMisdirectedRequest},
	} {
		r := httptest.NewRequest("POST", "/v1/models/m:classify-image", nil)
		r.Host = test.host
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("%s: %d, want %d", test.host, w.Code, test.want)
		}
	}
}

// A front end that fails ends the server with its error.
func TestServeFailure(t *testing.T) {
	home := inferencetest.New(t)
	o := Defaults()
	o.Home, o.Drain, o.Log = home.Path, 0, slog.New(slog.DiscardHandler)
	c, err := openCatalog(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	broken := errors.New("the network is gone")
	a, err := newAuthorizer(t.Context(), c, o, listeners{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	source, err := newSource(t.Context(), a.versions(), o)
	if err != nil {
		t.Fatal(err)
	}
	err = newServer(o, source, "fp32", a, nil).run(t.Context(), listeners{http: brokenListener{broken}})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type brokenListener struct{ err error }

func (l brokenListener) Accept() (net.Conn, error) { return nil, l.err }
func (l brokenListener) Close() error              { return nil }
func (l brokenListener) Addr() net.Addr            { return &net.TCPAddr{} }
