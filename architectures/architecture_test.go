package architectures_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tkit/architectures"
)

func TestAll(t *testing.T) {
	form := regexp.MustCompile(`^[a-z]+[0-9]*(v[0-9](\.[0-9])?)?(-[a-z]+[0-9]?)?$`)
	seen := map[string]bool{}
	for _, a := range architectures.All() {
		if seen[a.Name] || !form.MatchString(a.Name) {
			t.Errorf("name %q is not of the documented form, or used twice", a.Name)
		}
		seen[a.Name] = true
		if a.Title == "" || !regexp.MustCompile(`(19|20)\d\d`).MatchString(a.Citation) {
			t.Errorf("%s has the title %q and the citation %q", a.Name, a.Title, a.Citation)
		}
		if err := a.Preprocessing.Validate(); err != nil {
			t.Errorf("%s: %v", a.Name, err)
		}
		if h, w, c := a.Preprocessing.Shape(); [3]int{h, w, c} != a.Input {
			t.Errorf("%s: preprocessing gives %v, the input is %v", a.Name, []int{h, w, c}, a.Input)
		}
	}
}

func TestLookup(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"resnet50", ""},
		{"resnet-50", "resnet50"},
		{"ResNet50", "resnet50"},
		{"lenet", "lenet5"},
		{"vgg17", "vgg16"},
		{"inception_v3", "inceptionv3"},
		{"efficientnet", "efficientnet-lite0"},
		{"densenet", "see the list"},
		{"", "see the list"},
	} {
		a, err := architectures.Lookup(c.name)
		switch {
		case c.want == "" && (err != nil || a.Name != c.name):
			t.Errorf("Lookup(%q): %q, %v", c.name, a.Name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("Lookup(%q): error %v, want one with %q", c.name, err, c.want)
		}
	}
}

// TestGraphs checks what a builder relies on, with and without auxiliary heads.
func TestGraphs(t *testing.T) {
	for _, a := range architectures.All() {
		whole := graph(t, a.Name)
		for _, g := range []*architectures.Graph{whole, whole.Serving()} {
			known, variables := map[string]bool{architectures.Input: true}, map[string]bool{}
			for _, l := range g.Layers {
				for _, in := range l.Inputs {
					if !known[in] {
						t.Errorf("%s: %s reads %s, which does not precede it", a.Name, l.Name, in)
					}
				}
				known[l.Name] = true
				for _, v := range l.Variables {
					if variables[v.Name] || !strings.HasPrefix(v.Name, l.Name+"/") {
						t.Errorf("%s: variable %s is not named after its layer %s, or is there twice", a.Name, v.Name, l.Name)
					}
					variables[v.Name] = true
					if kernel := strings.HasSuffix(v.Name, "/kernel") || strings.HasSuffix(v.Name, "/coefficient"); v.Decay != kernel {
						t.Errorf("%s: weight decay of %s is %t", a.Name, v.Name, v.Decay)
					}
				}
			}
			if s, err := g.Shape(g.Logits); err != nil || !slices.Equal(s, []int{a.Classes}) {
				t.Errorf("%s: logits of shape %v, %v", a.Name, s, err)
			}
			for endpoint, layer := range g.Outputs() {
				if !known[layer] {
					t.Errorf("%s: endpoint %s is the unknown layer %s", a.Name, endpoint, layer)
				}
			}
		}
		for _, e := range whole.Serving().Table() {
			if e.Auxiliary {
				t.Errorf("%s serves with the auxiliary head %s", a.Name, e.Name)
			}
		}
	}
}

func TestAuxiliary(t *testing.T) {
	for name, want := range map[string]int{"googlenet": 0, "googlenet-aux": 2, "inceptionv3": 0, "inceptionv3-torchvision": 1} {
		g, marked := graph(t, name), 0
		for _, e := range g.Table() {
			if e.Auxiliary {
				marked++
			}
		}
		if (g.AuxiliaryWeight > 0) != (want > 0) {
			t.Errorf("%s weighs %d auxiliary losses by %g", name, want, g.AuxiliaryWeight)
		}
		if len(g.Auxiliary) != want || marked != want {
			t.Errorf("%s has %d auxiliary heads, %d of them endpoints, want %d", name, len(g.Auxiliary), marked, want)
		}
	}
	trainable, _ := graph(t, "googlenet-aux").Serving().Parameters()
	if want := totals["googlenet"][0]; trainable != want {
		t.Errorf("googlenet-aux serves with %d parameters, want googlenet's %d", trainable, want)
	}
}

// TestBuildRefuses builds every architecture for inputs from impossible to
// small: it either works or returns a reason.
func TestBuildRefuses(t *testing.T) {
	for _, a := range architectures.All() {
		for _, n := range []int{-1, 0, 1, 2, 5, 16, 31, 33} {
			g, err := a.Build(10, [3]int{n, n + 1, a.Input[2]})
			switch {
			case n <= 0 && err == nil:
				t.Errorf("%s accepts an input of %d×%d", a.Name, n, n+1)
			case err != nil && !strings.Contains(err.Error(), a.Name):
				t.Errorf("%s: the error %q does not name it", a.Name, err)
			case err == nil:
				for _, l := range g.Layers {
					if slices.Min(l.Shape) < 1 {
						t.Errorf("%s for an input of %d×%d: %s has the shape %v", a.Name, n, n+1, l.Name, l.Shape)
					}
				}
			}
		}
		for _, classes := range []int{-1, 0} {
			if _, err := a.Build(classes, a.Input); err == nil {
				t.Errorf("%s accepts %d classes", a.Name, classes)
			}
		}
	}
	_, err := lookup(t, "vgg16").Build(10, [3]int{31, 31, 3})
	if want := "vgg16 for an input of 31×31×3: pool5: height: a window of 2 does not fit into 1: the network needs a larger input"; fmt.Sprint(err) != want {
		t.Errorf("error %q, want %q", err, want)
	}
}

// Deep networks without batch normalisation have a learning rate of their own, as
// they do not learn at the default.
func TestLearningRates(t *testing.T) {
	for _, a := range architectures.All() {
		g, err := a.Graph()
		if err != nil {
			t.Fatal(err)
		}
		deep, normalised := 0, false
		for _, l := range g.Layers {
			switch l.Op.(type) {
			case architectures.Conv, architectures.Dense:
				deep++
			case architectures.BatchNorm:
				normalised = true
			}
		}
		if own := a.LearningRate > 0 && a.LearningRate <= 0.01; deep >= 8 && own == normalised {
			t.Errorf("%s: %d layers, normalised %t, learning rate %g", a.Name, deep, normalised, a.LearningRate)
		}
	}
}

func TestCodesOfManyClasses(t *testing.T) {
	g, err := lookup(t, "lenet5-paper").Build(62, [3]int{32, 32, 1})
	if err != nil {
		t.Fatal(err)
	}
	l, _ := g.Layer("output")
	seen := map[string]bool{}
	for _, c := range l.Op.(architectures.RBF).Centres {
		seen[fmt.Sprint(c)] = true
		for _, v := range c {
			if v != 1 && v != -1 {
				t.Fatalf("a code has the value %v", v)
			}
		}
	}
	if len(seen) != 62 {
		t.Errorf("%d different codes for 62 classes", len(seen))
	}
}

func TestJSON(t *testing.T) {
	raw, err := json.Marshal(lookup(t, "lenet5"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"name":"lenet5"`, `"input":[32,32,1]`, `"classes":10`, `"preprocessing":{"steps":`} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%s lacks %s", raw, want)
		}
	}
	raw, err = json.Marshal(graph(t, "lenet5").Table()[0])
	if want := `{"name":"C1","layer":"C1/relu","operation":"5×5/1, 6","output":[28,28,6],"trainable":156}`; err != nil || string(raw) != want {
		t.Errorf("endpoint %s, %v, want %s", raw, err, want)
	}
}

func lookup(t *testing.T, name string) architectures.Architecture {
	t.Helper()
	a, err := architectures.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
