package base_test

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/architectures/pytorch"
	"tkit/internal/tensorflow"
	"tkit/train/base"
)

// unpacked unpacks a file of testdata, which testdata/write.py wrote.
func unpacked(t *testing.T, name string) string {
	t.Helper()
	packed, err := os.Open(filepath.Join("testdata", name+".gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	r, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(f, r)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// logits are those of the image of testdata/write.py.
func logits(t *testing.T, n *base.Network) []float32 {
	t.Helper()
	only, err := n.Prune("logits")
	if err != nil {
		t.Fatal(err)
	}
	l, err := only.Load(tensorflow.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	pixels := make([]float32, 224*224*3)
	for i := range pixels {
		pixels[i] = float32(float32(i*7919%256)/127.5 - 1)
	}
	image, err := tensorflow.FromFloat32([]int64{1, 224, 224, 3}, pixels)
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	out, err := l.Run(t.Context(), image)
	if err != nil {
		t.Fatal(err)
	}
	defer out[0].Close()
	return append([]float32(nil), out[0].Float32()...)
}

// Files that PyTorch and safetensors wrote give the logits of the original networks.
func TestReadWeights(t *testing.T) {
	raw, err := os.ReadFile("testdata/logits.json")
	if err != nil {
		t.Fatal(err)
	}
	var answers map[string][]float32
	if err := json.Unmarshal(raw, &answers); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ architecture, scheme, ending, read string }{
		{"resnet18", "", "zip.pth", "torchvision and timm"},
		{"resnet18", "", "legacy.pth", "torchvision and timm"},
		{"resnet18", "torchvision", "safetensors", "torchvision and timm"},
		{"efficientnet-lite0", "timm-tf", "zip.pth", "timm-tf"},
		{"efficientnet-lite0", "timm-tf", "legacy.pth", "timm-tf"},
		{"efficientnet-lite0", "timm-tf", "safetensors", "timm-tf"},
	} {
		t.Run(c.architecture+" "+c.ending, func(t *testing.T) {
			t.Parallel()
			n, err := base.Read(t.Context(), base.Source{Path: unpacked(t, c.architecture+"."+c.ending), Architecture: c.architecture, Scheme: c.scheme})
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			if n.Scheme != c.read {
				t.Errorf("scheme %q, want %q", n.Scheme, c.read)
			}
			want, got := answers[c.architecture], logits(t, n)
			largest := 0.0
			for _, v := range want {
				largest = max(largest, math.Abs(float64(v)))
			}
			for i, v := range want {
				if !(math.Abs(float64(got[i]-v)) <= 1e-4*largest) {
					t.Fatalf("logits %v, by PyTorch %v", got, want)
				}
			}
		})
	}
}

// What a file does not say is not guessed.
func TestReadRefuses(t *testing.T) {
	lite, resnet := unpacked(t, "efficientnet-lite0.zip.pth"), unpacked(t, "resnet18.safetensors")
	text := filepath.Join(t.TempDir(), "notes.pb")
	if err := os.WriteFile(text, []byte("not a graph"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		source base.Source
		is     error
		says   string
	}{
		{base.Source{Path: lite}, base.ErrArchitecture, "weights without a network"},
		{base.Source{Path: lite, Architecture: "efficientnet-lite0"}, pytorch.ErrScheme, "timm-tf"},
		{base.Source{Path: lite, Architecture: "efficientnet-lite0", Scheme: "torchvision"}, pytorch.ErrScheme, "efficientnet-pytorch"},
		{base.Source{Path: resnet, Architecture: "resnet34"}, pytorch.ErrNames, "layer1.2"},
		{base.Source{Path: resnet, Architecture: "lenet5"}, nil, "no published PyTorch weights"},
		{base.Source{Path: resnet, Architecture: "resnet81"}, nil, "did you mean resnet18"},
		{base.Source{Path: text, Architecture: "resnet18"}, base.ErrArchitecture, "leave the architecture out"},
		{base.Source{Path: text}, nil, "not a frozen graph"},
		{base.Source{Path: t.TempDir(), Scheme: "timm"}, base.ErrArchitecture, "a scheme is for"},
		{base.Source{Path: filepath.Join(t.TempDir(), "none")}, os.ErrNotExist, "none"},
	} {
		_, err := base.Read(t.Context(), c.source)
		if err == nil || !strings.Contains(err.Error(), c.says) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%+v: %v, want %q", c.source, err, c.says)
		}
	}
}
