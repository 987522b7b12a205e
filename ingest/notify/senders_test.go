package notify

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

var digest = Digest{
	ID: "7", Pipeline: "flowers", Images: 3, From: time.Unix(0, 0).UTC(), To: time.Unix(60, 0).UTC(),
	Labels: []Count{{"daisy <b>", 2}, {"", 1}},
	First:  []Image{{SHA256: "ab", Source: "a\r\nBcc: x@example.com.jpg", Label: "daisy <b>", Probability: 0.25}},
}

func TestText(t *testing.T) {
	want := `flowers: 3 new images, from 1970-01-01T00:00:00Z to 1970-01-01T00:01:00Z

       2  daisy <b>
       1  without a label

a Bcc: x@example.com.jpg: daisy <b> (0.250)
and 2 more
`
	if got := digest.text(); got != want {
		t.Errorf("%s", got)
	}
}

// A receiver verifies the signature as the documentation says.
func TestWebhook(t *testing.T) {
	status := http.StatusAccepted
	var got Digest
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.Header.Get(SignatureHeader) != Sign([]byte("key"), r.Header.Get(TimestampHeader), body) || r.Header.Get(TimestampHeader) == "" {
			t.Errorf("headers %v", r.Header)
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	w, err := NewWebhook(server.URL+"/hooks/let-me-in", "key", "")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Send(t.Context(), digest); err != nil || got.Images != 3 || got.First[0] != digest.First[0] || !got.To.Equal(digest.To) {
		t.Errorf("%+v, %v", got, err)
	}
	status = http.StatusForbidden
	if err := w.Send(t.Context(), digest); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("refused: %v", err)
	}
	server.Close()
	if err := w.Send(t.Context(), digest); err == nil || strings.Contains(err.Error(), "let-me-in") {
		t.Errorf("down: %v", err)
	}
}

// The signature is that of a known example, computed with openssl.
func TestSign(t *testing.T) {
	const want = "v1=27a3d21bbc33d1740e57c7730822e033e54c30141f5584e9edf0257d7c9ebcda"
	if got := Sign([]byte("key"), "1700000000", []byte(`{"images":1}`)); got != want {
		t.Error(got)
	}
}

func TestSlack(t *testing.T) {
	var got map[string]string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.Header.Get(SignatureHeader) != "" {
			t.Error(err, r.Header)
		}
	}))
	defer server.Close()
	s, err := NewSlack(server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Send(t.Context(), digest); err != nil || len(got) != 1 || !strings.Contains(got["text"], "daisy &lt;b&gt;") {
		t.Errorf("%v, %v", got, err)
	}
}

// A mailbox is a mail server that keeps what it gets.
type mailbox struct {
	mu    sync.Mutex
	to    []string
	mails []string
}

func (b *mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{box: b}, nil }

type session struct {
	box   *mailbox
	known bool
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if s.known = user == "tkit" && password == "let-me-in"; !s.known {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (s *session) Mail(string, *smtp.MailOptions) error {
	if !s.known {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.to = append(s.box.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.mails = append(s.box.mails, string(text))
	return err
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// startMail starts a mail server, and returns its address and a file with its
// certificate.
func startMail(t *testing.T, box *mailbox, implicit bool) (address, ca string) {
	t.Helper()
	certified := httptest.NewTLSServer(nil) // has a certificate for 127.0.0.1
	defer certified.Close()
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certified.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(box)
	server.ErrorLog = log.New(io.Discard, "", 0)
	server.TLSConfig = &tls.Config{Certificates: certified.TLS.Certificates}
	serving := listener
	if implicit {
		serving = tls.NewListener(listener, server.TLSConfig)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(serving) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			t.Error(err)
		}
		<-ended
	})
	return listener.Addr().String(), ca
}

func TestMail(t *testing.T) {
	for _, security := range []string{StartTLS, TLS} {
		box := &mailbox{}
		address, ca := startMail(t, box, security == TLS)
		o := MailOptions{
			Server: address, Security: security, CA: ca, User: "tkit", Password: "let-me-in",
			From: "Classifier <tkit@example.com>", To: []string{"a@example.com", "b@example.com"},
		}
		send := func(o MailOptions) error {
			m, err := NewMail(o)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			return m.Send(t.Context(), digest)
		}
		if err := send(o); err != nil {
			t.Fatal(security, err)
		}
		if len(box.mails) != 1 || len(box.to) != 2 || !strings.Contains(box.mails[0], "Subject: flowers: 3 new images\r\n") ||
			!strings.Contains(box.mails[0], "daisy <b> (0.250)") ||
			!strings.Contains(box.mails[0], "Message-ID: <7@example.com>\r\n") || strings.Contains(box.mails[0], "\nBcc:") {
			t.Errorf("%s: to %q: %q", security, box.to, box.mails)
		}
		untrusted, wrong := o, o
		untrusted.CA, wrong.Password = "", "wrong-let-me-in"
		for _, o := range []MailOptions{untrusted, wrong} {
			if err := send(o); err == nil || strings.Contains(err.Error(), "let-me-in") {
				t.Errorf("%s: %v", security, err)
			}
		}
	}
}

func TestChecks(t *testing.T) {
	good := MailOptions{Server: "mail.example.com:587", Security: StartTLS, From: "a@example.com", To: []string{"b@example.com"}}
	if _, err := NewMail(good); err != nil {
		t.Error(err)
	}
	for i, change := range []func(*MailOptions){
		func(o *MailOptions) { o.Server = "mail.example.com" },
		func(o *MailOptions) { o.Server = "mail.example.com:smtp" },
		func(o *MailOptions) { o.Security = "" },
		func(o *MailOptions) { o.Security, o.Password = Plain, "x" },
		func(o *MailOptions) { o.From = "nobody" },
		func(o *MailOptions) { o.To = nil },
		func(o *MailOptions) { o.To = []string{"b@example.com\r\nBcc: c@example.com"} },
		func(o *MailOptions) { o.CA = "missing.pem" },
	} {
		o := good
		change(&o)
		if _, err := NewMail(o); err == nil {
			t.Errorf("change %d is accepted", i)
		}
	}
	for _, url := range []string{"", "ftp://example.com", "https:///let-me-in", "https://%zz/let-me-in"} {
		if _, err := NewWebhook(url, "", ""); err == nil || strings.Contains(err.Error(), "let-me-in") {
			t.Errorf("%q: %v", url, err)
		}
	}
}
