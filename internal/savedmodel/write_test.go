package savedmodel_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/internal/network"
	"tkit/internal/savedmodel"
	"tkit/internal/savedmodel/savedmodeltest"
)

// TestWrite writes networks that were read, and loads them with Python's
// TensorFlow 1 and 2 and with Read.
func TestWrite(t *testing.T) {
	type loading struct {
		Dir       string  `json:"dir"`
		Examples  string  `json:"examples"`
		Signature string  `json:"signature"`
		Asset     *string `json:"asset"`
	}
	var cases []loading
	temp := t.TempDir()
	labels := "cat\ndog\n"
	write := func(t *testing.T, name string, n *network.Network, examples string, e savedmodel.Export) {
		dir := filepath.Join(temp, name)
		e.Network = n
		if err := savedmodel.Write(t.Context(), dir, e); err != nil {
			t.Fatal(err)
		}
		c := loading{Dir: dir, Examples: examples, Signature: "serving_default"}
		if e.Signature != "" {
			c.Signature = e.Signature
		}
		if e.Assets != nil {
			c.Asset = &labels
		}
		cases = append(cases, c)

		again, err := savedmodel.Read(t.Context(), dir, savedmodel.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := digest(t, again), digest(t, n); got != want {
			t.Errorf("%s: written and read again it is %s, not %s", name, got, want)
		}
		entries, err := os.ReadDir(temp)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if strings.HasPrefix(entry.Name(), ".") {
				t.Errorf("%s is left over", entry.Name())
			}
		}
	}
	for _, name := range []string{"signatures", "conditions", "lists", "gathers", "types", "keras", "tf1_reference", "tf1_partitioned", "tf1_phases", "tf1_functions"} {
		from := filepath.Join(zoo(t), name)
		n, err := savedmodel.Read(t.Context(), from, savedmodel.Options{})
		if err != nil {
			t.Fatal(err)
		}
		e := savedmodel.Export{}
		if name == "signatures" {
			e = savedmodel.Export{Signature: "classify", Assets: map[string][]byte{"labels.txt": []byte(labels)}}
		}
		write(t, name, n, examplesOf(t, from, ""), e)
	}

	dir := savedmodeltest.Keras(t, "mobilenet_v2")
	n, err := savedmodel.Read(t.Context(), dir, savedmodel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	write(t, "mobilenet_v2", n, portExamples(t, n, dir), savedmodel.Export{})

	list, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	savedmodeltest.RunPythonOn(t, string(list), "testdata/load.py")
}

func digest(t testing.TB, n *network.Network) string {
	t.Helper()
	d, err := n.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// portExamples copies export_keras's example to files named after the ports.
func portExamples(t testing.TB, n *network.Network, dir string) string {
	t.Helper()
	to := t.TempDir()
	input, output := savedmodeltest.Example(t, dir)
	savedmodeltest.WriteArray(t, filepath.Join(to, "in."+n.Inputs[0].Name+".npy"), input)
	savedmodeltest.WriteArray(t, filepath.Join(to, "out."+n.Outputs[0].Name+".npy"), output)
	return to
}

func TestWriteRefuses(t *testing.T) {
	n, err := savedmodel.Read(t.Context(), filepath.Join(zoo(t), "compiled"), savedmodel.Options{})
	if err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	broken := *n
	broken.Outputs = nil
	there := t.TempDir()
	for name, c := range map[string]struct {
		ctx    context.Context
		dir    string
		export savedmodel.Export
		is     error
		says   string
	}{
		"a folder that is there": {t.Context(), there, savedmodel.Export{Network: n}, fs.ErrExist, there},
		"an asset's path":        {t.Context(), "", savedmodel.Export{Network: n, Assets: map[string][]byte{"../labels": nil}}, nil, `"../labels"`},
		"a broken network":       {t.Context(), "", savedmodel.Export{Network: &broken}, nil, "no outputs"},
		"when cancelled":         {cancelled, "", savedmodel.Export{Network: n}, context.Canceled, ""},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			if c.dir == "" {
				c.dir = filepath.Join(parent, "model")
			}
			err := savedmodel.Write(c.ctx, c.dir, c.export)
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v", err)
			}
			if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
				t.Errorf("left over: %v, %v", left, err)
			}
		})
	}
}
