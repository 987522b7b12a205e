package pytorch_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/fnv"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"tkit/architectures"
	"tkit/architectures/builder"
	"tkit/architectures/pytorch"
	"tkit/internal/needs"
	"tkit/internal/tensorflow"
	"tkit/internal/weightfile"
)

// An answer is what a network of torchvision or timm says; see testdata/write.py.
type answer struct {
	Size   [2]int             `json:"size"`
	Shapes map[string][]int64 `json:"shapes"`
	Logits []float32          `json:"logits"`
}

func answers(t *testing.T) map[string]answer {
	t.Helper()
	raw, err := os.ReadFile("testdata/answers.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]answer
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestAgreesWithPyTorch gives the networks weights under PyTorch's names and compares
// their logits with those of PyTorch. The weights are the same from every format. The
// networks with the most weights, whose families have smaller ones too, take seconds: only
// the full tests compare them.
func TestAgreesWithPyTorch(t *testing.T) {
	for name, want := range answers(t) {
		t.Run(name, func(t *testing.T) {
			switch name {
			case "resnet50v1.5", "vgg11", "vgg13", "inceptionv3-torchvision":
				needs.Minutes(t)
			}
			a, g := build(t, name, want)
			tensors := storedTensors(want.Shapes)
			loaded, err := pytorch.Load(t.Context(), a, g, safetensorsFile(t, tensors, ""), stated(name))
			if err != nil {
				t.Fatal(err)
			}
			for format, f := range map[string]func(*testing.T, []stored) *weightfile.File{"legacy": legacyFile, "zip": zipFile} {
				t.Run(format, func(t *testing.T) {
					needs.Minutes(t)
					same, err := pytorch.Load(t.Context(), a, g, f(t, tensors), stated(name))
					if err != nil {
						t.Fatal(err)
					}
					equal(t, same, loaded)
				})
			}
			for _, ignored := range loaded.Ignored {
				if !strings.HasSuffix(ignored, "num_batches_tracked") && !strings.HasPrefix(ignored, "aux") && !strings.HasPrefix(ignored, "AuxLogits") {
					t.Errorf("%s was ignored", ignored)
				}
			}
			got := logits(t, g, loaded)
			largest := 0.0
			for _, v := range want.Logits {
				largest = max(largest, math.Abs(float64(v)))
			}
			for i, v := range want.Logits {
				if d := math.Abs(float64(got[i] - v)); !(d <= 1e-4*largest) {
					t.Errorf("logits %v, by PyTorch %v", got, want.Logits)
					break
				}
			}
		})
	}
}

// equal compares the weights of one network from two files, byte by byte.
func equal(t *testing.T, got, want *pytorch.Loaded) {
	t.Helper()
	if len(got.Weights) != len(want.Weights) || got.Scheme != want.Scheme || !slices.Equal(got.Ignored, want.Ignored) {
		t.Errorf("%d weights of %s, ignored %v; want %d of %s, %v",
			len(got.Weights), got.Scheme, got.Ignored, len(want.Weights), want.Scheme, want.Ignored)
		return
	}
	for i, w := range want.Weights {
		g := got.Weights[i]
		if g.Name != w.Name || g.DataType != w.DataType || !slices.Equal(g.Shape, w.Shape) || !bytes.Equal(g.Data, w.Data) {
			t.Errorf("%s %v is not %s %v of safetensors", g.Name, g.Shape, w.Name, w.Shape)
		}
	}
}

func build(t *testing.T, name string, of answer) (architectures.Architecture, *architectures.Graph) {
	t.Helper()
	a, err := architectures.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	g, err := a.Build(len(of.Logits), [3]int{of.Size[0], of.Size[1], 3})
	if err != nil {
		t.Fatal(err)
	}
	return a, g
}

// logits are those of the image "images".
func logits(t *testing.T, g *architectures.Graph, loaded *pytorch.Loaded) []float32 {
	t.Helper()
	n, err := builder.Network(g, loaded.Weights)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	l, err := n.Load(tensorflow.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	height, width := g.Input[0], g.Input[1]
	planes, pixels := noise("images", 3*height*width), make([]float32, 3*height*width)
	for i := range pixels {
		pixels[i] = planes[i%3*height*width+i/3]
	}
	in, err := tensorflow.FromRows([]int64{int64(height), int64(width), 3}, [][]float32{pixels})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := l.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	var values []float32
	for i, port := range l.Outputs {
		if port.Name == "logits" {
			values = slices.Clone(out[i].Float32())
		}
		out[i].Close()
	}
	return values
}

// noise and values are those of testdata/write.py.
func noise(name string, count int) []float32 {
	h := fnv.New32a()
	h.Write([]byte(name))
	state, all := h.Sum32(), make([]float32, count)
	for i := range all {
		state = state*1664525 + 1013904223
		all[i] = float32(float64(state) / (1 << 32))
	}
	return all
}

func values(name string, shape []int64) []float32 {
	count, fan := 1, 1
	for i, d := range shape {
		count *= int(d)
		if i > 0 {
			fan *= int(d)
		}
	}
	all := noise(name, count)
	limit := float32(math.Sqrt(6 / float64(fan)))
	for i, u := range all {
		switch {
		case len(shape) > 1:
			all[i] = (2*u - 1) * limit
		case strings.HasSuffix(name, "running_var"):
			all[i] = 1 + u/2
		case strings.HasSuffix(name, "weight"):
			all[i] = 1 + (u-0.5)/5
		default:
			all[i] = (u - 0.5) / 5
		}
	}
	return all
}

// contents are the bytes of a tensor.
func contents(name string, shape []int64) []byte {
	if strings.HasSuffix(name, "num_batches_tracked") {
		return make([]byte, 8)
	}
	all := values(name, shape)
	raw := make([]byte, 0, 4*len(all))
	for _, v := range all {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return raw
}

// file is a file of safetensors with tensors of those names and shapes.
func file(t *testing.T, shapes map[string][]int64, prefix string) *weightfile.File {
	t.Helper()
	return safetensorsFile(t, storedTensors(shapes), prefix)
}

func safetensorsFile(t *testing.T, all []stored, prefix string) *weightfile.File {
	t.Helper()
	type entry struct {
		Type    string   `json:"dtype"`
		Shape   []int64  `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	header := map[string]entry{}
	length := int64(0)
	for _, s := range all {
		e := entry{Type: "F32", Shape: s.shape, Offsets: [2]int64{length, length + int64(len(s.contents))}}
		if class, _ := s.kind(); class == "LongStorage" {
			e.Type = "I64"
		}
		length = e.Offsets[1]
		header[prefix+s.name] = e
	}
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	whole := make([]byte, 0, 8+int64(len(text))+length)
	whole = append(binary.LittleEndian.AppendUint64(whole, uint64(len(text))), text...)
	for _, s := range all {
		whole = append(whole, s.contents...)
	}
	return read(t, whole)
}

// Names under a common prefix, and those of EfficientNet-PyTorch, are found too.
func TestNames(t *testing.T) {
	want := answers(t)["efficientnet-lite0"]
	a, g := build(t, "efficientnet-lite0", want)
	first, err := pytorch.Load(t.Context(), a, g, file(t, want.Shapes, "module."), "timm-tf")
	if err != nil || first.Scheme != "timm-tf" {
		t.Fatalf("%v, %v", first, err)
	}
	renamed := map[string][]int64{}
	block, last := -1, ""
	for _, name := range inOrder(want.Shapes) {
		parts := strings.Split(name, ".")
		if parts[0] != "blocks" {
			top := map[string]string{"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1", "classifier": "_fc"}
			renamed[top[parts[0]]+"."+parts[1]] = want.Shapes[name]
			continue
		}
		if unit := parts[1] + "." + parts[2]; unit != last {
			block, last = block+1, unit
		}
		inside := map[string]string{"conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1", "conv_pwl": "_project_conv", "bn3": "_bn2"}
		if parts[1] == "0" {
			inside = map[string]string{"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
		}
		renamed["_blocks."+itoa(block)+"."+inside[parts[3]]+"."+parts[4]] = want.Shapes[name]
	}
	second, err := pytorch.Load(t.Context(), a, g, file(t, renamed, ""), "")
	if err != nil || second.Scheme != "efficientnet-pytorch" || len(second.Weights) != len(first.Weights) {
		t.Errorf("%v, %v", second, err)
	}
}

// stated is the scheme that the file of an answer must be stated to have.
func stated(architecture string) string {
	if strings.HasPrefix(architecture, "efficientnet-lite") {
		return "timm-tf"
	}
	return ""
}

// Names that networks of two libraries have are not guessed.
func TestSchemeIsStated(t *testing.T) {
	want := answers(t)["efficientnet-lite0"]
	a, g := build(t, "efficientnet-lite0", want)
	for scheme, says := range map[string]string{
		"":            "state timm-tf",
		"timm":        "efficientnet-lite0: timm-tf, efficientnet-pytorch",
		"torchvision": "none of the schemes",
	} {
		if _, err := pytorch.Load(t.Context(), a, g, file(t, want.Shapes, ""), scheme); !errors.Is(err, pytorch.ErrScheme) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", scheme, err, says)
		}
	}
	if n, err := pytorch.Classes(a, file(t, want.Shapes, ""), "timm-tf"); err != nil || n != len(want.Logits) {
		t.Errorf("%d classes, %v", n, err)
	}
}

// The inputs of torchvision's GoogLeNet and Inception v3 depend on an option that the
// file does not tell.
func TestUnclearInput(t *testing.T) {
	for _, name := range []string{"googlenet-torchvision", "inceptionv3-torchvision", "resnet18"} {
		want := answers(t)[name]
		a, g := build(t, name, want)
		loaded, err := pytorch.Load(t.Context(), a, g, file(t, want.Shapes, ""), stated(name))
		if err != nil {
			t.Fatal(err)
		}
		if unclear := name != "resnet18"; (loaded.Unclear != "") != unclear {
			t.Errorf("%s: %q", name, loaded.Unclear)
		}
	}
}

// inOrder sorts names with blocks by their numbers.
func inOrder(shapes map[string][]int64) []string {
	return slices.SortedFunc(maps.Keys(shapes), func(a, b string) int { return strings.Compare(padded(a), padded(b)) })
}

func padded(name string) string {
	parts := strings.Split(name, ".")
	for i, p := range parts {
		if len(p) == 1 {
			parts[i] = "0" + p
		}
	}
	return strings.Join(parts, ".")
}

func itoa(n int) string {
	text, _ := json.Marshal(n)
	return string(text)
}

func TestRefused(t *testing.T) {
	want := answers(t)["resnet18"]
	a, g := build(t, "resnet18", want)
	change := func(f func(map[string][]int64)) map[string][]int64 {
		shapes := maps.Clone(want.Shapes)
		f(shapes)
		return shapes
	}
	for words, shapes := range map[string]map[string][]int64{
		"there is no layer1.0.bn1.bias":           change(func(s map[string][]int64) { delete(s, "layer1.0.bn1.bias") }),
		"the network has no place for extra":      change(func(s map[string][]int64) { s["extra.weight"] = []int64{1} }),
		"its shape is [9 512], and the network":   change(func(s map[string][]int64) { s["fc.weight"] = []int64{9, 512} }),
		"its shape is [64 3 3 3], and the":        change(func(s map[string][]int64) { s["conv1.weight"] = []int64{64, 3, 3, 3} }),
		"its shape is [64 3 49], and the network": change(func(s map[string][]int64) { s["conv1.weight"] = []int64{64, 3, 49} }),
	} {
		if _, err := pytorch.Load(t.Context(), a, g, file(t, shapes, ""), ""); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("error %v, want one with %q", err, words)
		}
	}
	other, otherGraph := build(t, "resnet34", want)
	if _, err := pytorch.Load(t.Context(), other, otherGraph, file(t, want.Shapes, ""), ""); !errors.Is(err, pytorch.ErrNames) {
		t.Errorf("another depth: %v", err)
	}
	lenet, err := architectures.Lookup("lenet5")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pytorch.Load(t.Context(), lenet, g, file(t, want.Shapes, ""), ""); err == nil {
		t.Error("LeNet has no published weights")
	}
}
