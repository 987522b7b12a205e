package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Encode returns the manifest as canonical JSON.
func (m *Manifest) Encode() ([]byte, error) { return canonical(m) }

// canonical returns a manifest as canonical JSON: sorted keys, no spaces, no
// escapes for HTML, so that equal manifests have equal bytes.
func canonical(manifest any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(manifest); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	// Objects decoded into maps are encoded again with their keys sorted.
	d := json.NewDecoder(&b)
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	b.Reset()
	if err := e.Encode(value); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Digest returns the digest of the canonical JSON.
func (m *Manifest) Digest() (Digest, error) {
	text, err := m.Encode()
	if err != nil {
		return "", err
	}
	return digestOf(text), nil
}

func digestOf(text []byte) Digest {
	return Digest(fmt.Sprintf("sha256:%x", sha256.Sum256(text)))
}

// DecodeManifest reads a manifest. It refuses unknown keys: another version of tkit
// wrote them, and they may change how the model must be used.
func DecodeManifest(text []byte) (*Manifest, error) {
	m := new(Manifest)
	if err := decodeCanonical(text, manifestFormat, m); err != nil {
		return nil, err
	}
	if err := m.validate(); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if m.Version < 1 || m.Created.IsZero() {
		return nil, fmt.Errorf("manifest: %w: it has no version or no time", ErrInvalid)
	}
	return m, nil
}

// decodeCanonical decodes a manifest of one format, which has no unknown keys.
func decodeCanonical(text []byte, format int, into any) error {
	var form struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(text, &form); err != nil {
		return fmt.Errorf("manifest: %w: %w", ErrInvalid, err)
	}
	if form.Format != format {
		return fmt.Errorf("manifest: %w: its format is %d, but this tkit reads format %d", ErrInvalid, form.Format, format)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("manifest: %w: %w", ErrInvalid, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("manifest: %w: text after the object", ErrInvalid)
	}
	return nil
}
