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

// ErrUnauthenticated is the error of a request without a caller, or with a token that
// is unknown, was revoked or has expired.
var ErrUnauthenticated = errors.New("not authenticated")

// A Token authenticates requests as those of a principal. Its secret is shown once, to
// whoever creates the token, and only its SHA-256 is stored. A secret has 256 random
// bits, so that a salt or a slow hash would add nothing.
type Token struct {
	ID        string    `json:"id"`
	Principal Principal `json:"principal"`
	// Purpose is what requests with the token are for; see [Grant].
	Purpose string    `json:"purpose,omitempty"`
	Note    string    `json:"note,omitempty"`
	By      Principal `json:"by"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"` // always set
	// Hash is the SHA-256 of the secret.
	Hash   [sha256.Size]byte `json:"-"`
	Damage error             `json:"-"` // see Grant

	unread bool // the row is not valid
}

// ParseHolder is ParsePrincipal for the principal of a token: a user or a service.
func ParseHolder(s string) (Principal, error) {
	p, err := ParsePrincipal(s)
	if err == nil && p.Kind() == GroupKind {
		err = fmt.Errorf("%w: a token is a user's or a service's, not a group's", ErrInvalid)
	}
	return p, err
}

// check refuses a token that is not valid.
func (t Token) check() error {
	if _, err := ParseHolder(string(t.Principal)); err != nil {
		return err
	}
	if t.Expires.IsZero() {
		return fmt.Errorf("%w: a token has an expiry", ErrInvalid)
	}
	return checkText(t.Note, t.Purpose)
}

// tokenPrefix lets scanners for leaked secrets recognise tokens.
const tokenPrefix = "tkit_"

// newSecret returns a random secret, and the hash and ID that belong to it.
func newSecret() (secret, id string, hash [sha256.Size]byte) {
	var random [36]byte
	rand.Read(random[:]) // never fails
	secret = tokenPrefix + base64.RawURLEncoding.EncodeToString(random[:32])
	return secret, hex.EncodeToString(random[32:]), sha256.Sum256([]byte(secret))
}

// Authenticate finds the token that a secret belongs to. The error wraps
// ErrUnauthenticated and never has the secret in it.
func (p *Policy) Authenticate(secret string, now time.Time) (Token, error) {
	t, known := p.byHash[sha256.Sum256([]byte(secret))]
	if !known || !strings.HasPrefix(secret, tokenPrefix) {
		return Token{}, fmt.Errorf("%w: the token is unknown or was revoked", ErrUnauthenticated)
	}
	if !live(t.Expires, now) {
		return Token{}, fmt.Errorf("%w: token %s expired at %s", ErrUnauthenticated, t.ID, t.Expires.Format(time.RFC3339))
	}
	return t, nil
}
