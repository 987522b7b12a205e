package registry

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Encode returns the manifest as canonical JSON: sorted keys, no spaces, no
// escapes for HTML, so that equal manifests have equal bytes.
func (m *Manifest) Encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
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
	var form struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(text, &form); err != nil {
		return nil, fmt.Errorf("manifest: %w: %w", ErrInvalid, err)
	}
	if form.Format != manifestFormat {
		return nil, fmt.Errorf("manifest: %w: its format is %d, but this tkit reads format %d", ErrInvalid, form.Format, manifestFormat)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	m := new(Manifest)
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("manifest: %w: %w", ErrInvalid, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("manifest: %w: text after the object", ErrInvalid)
	}
	if err := m.validate(); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if m.Version < 1 || m.Created.IsZero() {
		return nil, fmt.Errorf("manifest: %w: it has no version or no time", ErrInvalid)
	}
	return m, nil
}
