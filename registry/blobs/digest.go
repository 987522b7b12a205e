package blobs

import (
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
)

// A Digest names content: "sha256:" and 64 lower-case hexadecimal digits.
//
// Decoding a Digest from JSON or another text form validates it. The zero value
// means no content.
type Digest string

const (
	algorithm = "sha256:"
	hexDigits = 64
)

// ParseDigest returns s as a digest if it is well formed.
func ParseDigest(s string) (Digest, error) {
	digits, ok := strings.CutPrefix(s, algorithm)
	if !ok || len(digits) != hexDigits || strings.Trim(digits, "0123456789abcdef") != "" {
		return "", fmt.Errorf("digest %.80q: want sha256: and 64 lower-case hexadecimal digits", s)
	}
	return Digest(s), nil
}

// UnmarshalText accepts what ParseDigest accepts, and an empty text for no
// content.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = ""
		return nil
	}
	parsed, err := ParseDigest(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// Short returns the first 12 digits, for display.
func (d Digest) Short() string {
	digits := strings.TrimPrefix(string(d), algorithm)
	return digits[:min(12, len(digits))]
}

// digits returns the hexadecimal part of an untrusted digest.
func (d Digest) digits() (string, error) {
	if _, err := ParseDigest(string(d)); err != nil {
		return "", err
	}
	return string(d[len(algorithm):]), nil
}

func digestOf(h hash.Hash) Digest {
	return Digest(algorithm + hex.EncodeToString(h.Sum(nil)))
}
