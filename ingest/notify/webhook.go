package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tkit/ingest/web"
)

// The headers with which a receiver checks that a message is genuine.
const (
	TimestampHeader = "X-Tkit-Timestamp"
	SignatureHeader = "X-Tkit-Signature"
)

// Sign returns the signature of a message: v1= and the HMAC-SHA256, in hexadecimal, of
// the timestamp, a period and the body. The timestamp is in seconds since 1970; a
// receiver refuses old ones, so that nobody can send a message again.
func Sign(secret []byte, timestamp string, body []byte) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(timestamp + "."))
	h.Write(body)
	return "v1=" + hex.EncodeToString(h.Sum(nil))
}

// A Webhook posts JSON to a URL.
type Webhook struct {
	url    string // which may have a secret
	secret []byte // nil for messages without a signature
	body   func(Digest) any
	client *http.Client
}

// NewWebhook returns a sender of digests as JSON, which are signed if secret is not
// empty. ca is as for [web.NewClient].
func NewWebhook(url, secret, ca string) (*Webhook, error) {
	w, err := newWebhook(url, ca, func(d Digest) any { return d })
	if err == nil && secret != "" {
		w.secret = []byte(secret)
	}
	return w, err
}

// NewSlack returns a sender to an incoming webhook of Slack, or of what is compatible
// with it, such as Mattermost.
func NewSlack(url, ca string) (*Webhook, error) {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	return newWebhook(url, ca, func(d Digest) any { return map[string]string{"text": escape.Replace(d.text())} })
}

func newWebhook(address, ca string, body func(Digest) any) (*Webhook, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("the URL of the webhook must be http:// or https:// with a host")
	}
	client, err := web.NewClient(ca)
	if err != nil {
		return nil, err
	}
	return &Webhook{url: address, body: body, client: client}, nil
}

// Send posts a digest, and returns when the receiver has answered with a status of 2xx.
func (w *Webhook) Send(ctx context.Context, d Digest) error {
	body, err := json.Marshal(w.body(d))
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("the URL of the webhook is not valid")
	}
	request.Header.Set("Content-Type", "application/json")
	if w.secret != nil {
		timestamp := strconv.FormatInt(time.Now().Unix(), 10)
		request.Header.Set(TimestampHeader, timestamp)
		request.Header.Set(SignatureHeader, Sign(w.secret, timestamp, body))
	}
	r, err := w.client.Do(request)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok { // which quotes the URL
			err = e.Err
		}
		return fmt.Errorf("the webhook does not answer: %w", err)
	}
	defer r.Body.Close()
	// A connection is used again only if its response was read.
	if _, err := io.Copy(io.Discard, io.LimitReader(r.Body, 64<<10)); err != nil {
		return fmt.Errorf("the webhook does not answer: %w", err)
	}
	if r.StatusCode < 200 || r.StatusCode > 299 {
		return fmt.Errorf("the webhook answers %s", r.Status)
	}
	return nil
}

// Close closes the connections.
func (w *Webhook) Close() { w.client.CloseIdleConnections() }
