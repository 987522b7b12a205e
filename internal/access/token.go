package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrUnauthenticated: a token that is unknown, revoked or has expired.
var ErrUnauthenticated = errors.New("not authenticated")

// A Token lets whoever has its secret act as a principal. The secret is told
// once, to who created the token; its SHA-256 is all that is kept. A secret has
// 256 random bits, so that neither salt nor slow hash would add anything.
type Token struct {
	ID        string    `json:"id"`
	Principal Principal `json:"principal"`
	// Purpose is what requests with the token are for; see [Grant].
	Purpose string    `json:"purpose,omitempty"`
	Note    string    `json:"note,omitempty"`
	By      Principal `json:"by"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"` // always set

	hash tokenHash
}

type tokenHash [sha256.Size]byte

// tokenPrefix lets scanners for leaked secrets know one.
const tokenPrefix = "tkit_"

// newSecret draws a secret and gives the hash and the ID that go with it.
func newSecret() (secret, id string, hash tokenHash) {
	var random [36]byte
	rand.Read(random[:]) // never fails
	secret = tokenPrefix + base64.RawURLEncoding.EncodeToString(random[:32])
	return secret, hex.EncodeToString(random[32:]), sha256.Sum256([]byte(secret))
}

// Authenticate finds the token that a secret belongs to. The error wraps
// ErrUnauthenticated and never has the secret in it.
func (p *Policy) Authenticate(secret string, now time.Time) (Token, error) {
	t, known := p.tokens[sha256.Sum256([]byte(secret))]
	if !known || !strings.HasPrefix(secret, tokenPrefix) {
		return Token{}, fmt.Errorf("%w: the token is unknown or was revoked", ErrUnauthenticated)
	}
	if !live(t.Expires, now) {
		return Token{}, fmt.Errorf("%w: token %s expired at %s", ErrUnauthenticated, t.ID, t.Expires.Format(time.RFC3339))
	}
	return t, nil
}

func (h tokenHash) String() string { return hex.EncodeToString(h[:]) }

// Scan reads a hash from a column.
func (h *tokenHash) Scan(column any) error {
	text, _ := column.(string)
	if n, err := hex.Decode(h[:], []byte(text)[:min(len(text), 2*len(h))]); err != nil || n != len(h) {
		return fmt.Errorf("the hash of a token is %.80q in the database", text)
	}
	return nil
}
