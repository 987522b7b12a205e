package savedmodel_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tkit/internal/network"
	"tkit/internal/savedmodel"
	"tkit/internal/savedmodel/savedmodeltest"
	"tkit/internal/tensorflow"
)

// zoo returns the folder of SavedModels written by testdata/zoo.py.
func zoo(t testing.TB) string {
	t.Helper()
	return savedmodeltest.Cached(t, "zoo", "testdata/zoo.py")
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		model   string
		options savedmodel.Options
		weights string // trainable ones marked
	}{
		{"signatures", savedmodel.Options{}, "bias w* w_1*"},
		{"signatures", savedmodel.Options{Signature: "features"}, "w_1*"},
		{"conditions", savedmodel.Options{}, "w*"},
		{"lists", savedmodel.Options{}, ""},
		{"gathers", savedmodel.Options{}, "batched* table*"},
		{"types", savedmodel.Options{}, "Const brain* double* half* open* whole*"},
		{"compiled", savedmodel.Options{Tags: []string{"serve"}}, "scope/w*"},
		{"keras", savedmodel.Options{}, "a/bias* a/kernel* b/bias* b/kernel* batch_normalization/beta* batch_normalization/gamma* " +
			"batch_normalization/moving_mean batch_normalization/moving_variance conv2d/kernel* " +
			"separable_conv2d/bias* separable_conv2d/depthwise_kernel* separable_conv2d/pointwise_kernel*"},
		{"keras_saved", savedmodel.Options{}, "sequential/dense/bias* sequential/dense/kernel* sequential/dense_1/bias* sequential/dense_1/kernel* " +
			"sequential/layer_normalization/beta* sequential/layer_normalization/gamma*"},
		{"keras_direct", savedmodel.Options{}, "sequential_1/batch_normalization_1/beta* sequential_1/batch_normalization_1/gamma* " +
			"sequential_1/batch_normalization_1/moving_mean sequential_1/batch_normalization_1/moving_variance " +
			"sequential_1/conv2d_1/bias* sequential_1/conv2d_1/kernel* sequential_1/dense_2/bias* sequential_1/dense_2/kernel*"},
		{"towers", savedmodel.Options{}, "conv/bias* conv/bias_1* conv/kernel* conv/kernel_1* logits/bias* logits/kernel*"},
		{"unnamed", savedmodel.Options{}, "Variable_2* Variable_3* sequential_2/dense/bias* sequential_2/dense/kernel* w* w_1*"},
		{"refused", savedmodel.Options{Signature: "fine"}, "w*"},
		{"tf1_resource", savedmodel.Options{}, "one/b one/w* two/b two/w*"},
		{"tf1_reference", savedmodel.Options{}, "one/b one/w* two/b two/w*"},
		{"tf1_partitioned", savedmodel.Options{}, "one/b/part_0 one/b/part_1 one/b/part_2 one/w/part_0* one/w/part_1* one/w/part_2* " +
			"two/b/part_0 two/b/part_1 two/b/part_2 two/w/part_0* two/w/part_1* two/w/part_2*"},
		{"tf1_phases", savedmodel.Options{}, "norm/mean* scale* shift*"},
		{"tf1_hub", savedmodel.Options{}, "module/b module/w*"},
		{"tf1_functions", savedmodel.Options{}, "frozen"},
		{"tf1_inside", savedmodel.Options{}, "layer/b layer/w*"},
	} {
		t.Run(c.model+c.options.Signature, func(t *testing.T) {
			dir := filepath.Join(zoo(t), c.model)
			n, err := savedmodel.Read(t.Context(), dir, c.options)
			if err != nil {
				t.Fatal(err)
			}
			if got := weightNames(n); got != c.weights {
				t.Errorf("weights %q, want %q", got, c.weights)
			}
			compare(t, n, examplesOf(t, dir, c.options.Signature))

			again, err := savedmodel.Read(t.Context(), dir, c.options)
			if err != nil {
				t.Fatal(err)
			}
			if digest(t, n) != digest(t, again) {
				t.Error("reading it twice gives different networks")
			}
		})
	}
}

// weightNames lists the weights, trainable ones marked by a star.
func weightNames(n *network.Network) string {
	var names []string
	for _, w := range n.Weights {
		name := w.Name
		if w.Trainable {
			name += "*"
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// examplesOf returns the folder with a signature's example inputs and outputs.
func examplesOf(t testing.TB, dir, signature string) string {
	t.Helper()
	for _, name := range []string{signature, "serving_default", "default"} {
		folder := filepath.Join(dir, "assets.extra", name)
		if _, err := os.Stat(folder); name != "" && err == nil {
			return folder
		}
	}
	t.Fatalf("no examples in %s", dir)
	return ""
}

// compare runs a network on the inputs in a folder and compares its outputs
// with those there.
func compare(t testing.TB, n *network.Network, folder string) {
	t.Helper()
	var inputs []savedmodeltest.Array
	for _, port := range n.Inputs {
		inputs = append(inputs, savedmodeltest.ReadArray(t, filepath.Join(folder, "in."+port.Name+".npy")))
	}
	for i, got := range answer(t, n, inputs...) {
		t.Logf("output %q", n.Outputs[i].Name)
		same(t, got, savedmodeltest.ReadArray(t, filepath.Join(folder, "out."+n.Outputs[i].Name+".npy")))
	}
}

// answer runs a network on its inputs.
func answer(t testing.TB, n *network.Network, inputs ...savedmodeltest.Array) []savedmodeltest.Array {
	t.Helper()
	l, err := n.Load(tensorflow.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var in []*tensorflow.Tensor
	for i, a := range inputs {
		x := tensorOf(t, n.Inputs[i].DataType, a)
		defer x.Close()
		in = append(in, x)
	}
	out, err := l.Run(t.Context(), in...)
	if err != nil {
		t.Fatal(err)
	}
	var answers []savedmodeltest.Array
	for _, x := range out {
		defer x.Close()
		answers = append(answers, arrayOf(t, x))
	}
	return answers
}

// tensorOf and arrayOf convert between the types of a signature and float32,
// the type of the stored examples.
func tensorOf(t testing.TB, dt tensorflow.DataType, a savedmodeltest.Array) *tensorflow.Tensor {
	t.Helper()
	x, err := tensorflow.NewTensor(dt, a.Shape...)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range a.Values {
		switch dt {
		case tensorflow.Float32:
			x.Float32()[i] = v
		case tensorflow.Int32:
			x.Int32()[i] = int32(v)
		case tensorflow.Int64:
			x.Int64()[i] = int64(v)
		default:
			t.Fatalf("input of %s", dt)
		}
	}
	return x
}

func arrayOf(t testing.TB, x *tensorflow.Tensor) savedmodeltest.Array {
	t.Helper()
	a := savedmodeltest.Array{Shape: x.Shape(), Values: make([]float32, x.Len())}
	for i := range a.Values {
		switch x.DataType() {
		case tensorflow.Float32:
			a.Values[i] = x.Float32()[i]
		case tensorflow.Int32:
			a.Values[i] = float32(x.Int32()[i])
		case tensorflow.Int64:
			a.Values[i] = float32(x.Int64()[i])
		default:
			t.Fatalf("output of %s", x.DataType())
		}
	}
	return a
}

// same compares outputs to 1e-5 of the largest.
func same(t testing.TB, got, want savedmodeltest.Array) {
	t.Helper()
	if len(got.Values) != len(want.Values) {
		t.Fatalf("shape %v, want %v", got.Shape, want.Shape)
	}
	largest, worst := 0.0, 0.0
	for i, w := range want.Values {
		largest = max(largest, math.Abs(float64(w)))
		worst = max(worst, math.Abs(float64(got.Values[i]-w)))
	}
	if !(worst <= 1e-5*max(largest, 1e-3)) {
		t.Errorf("answers differ by %g where the largest is %g", worst, largest)
	}
}

func TestReadRefuses(t *testing.T) {
	for _, c := range []struct {
		model, signature string
		tags             []string
		unsupported      bool
		says             []string
	}{
		{model: "refused", signature: "table_lookup", unsupported: true, says: []string{"HashTableV2", "table"}},
		{model: "refused", signature: "python", unsupported: true, says: []string{"PyFunc", "runs Python"}},
		{model: "refused", signature: "loop", unsupported: true, says: []string{"While", "loops over functions"}},
		{model: "refused", signature: "branch", unsupported: true, says: []string{"If", "branches on a value known only at run time"}},
		{model: "refused", signature: "counts", unsupported: true, says: []string{`changes variable "counter" when it runs`}},
		{model: "refused", says: []string{`no signature "serving_default"`, `"branch" "counts" "fine"`}},
		{model: "signatures", signature: "classify", says: []string{`no signature "classify"`, `["features" "serving_default"]`}},
		{model: "signatures", tags: []string{"gpu", "serve"}, says: []string{`tags ["gpu" "serve"]`, `["serve"]`}},
		{model: "tf1_hub", tags: []string{"serve"}, says: []string{`tags ["serve"]`, `["train"]`}},
		{model: "tf1_hub", signature: "table", unsupported: true, says: []string{"HashTableV2"}},
		{model: "nothing", says: []string{"no such file"}},
	} {
		t.Run(c.model+c.signature+strings.Join(c.tags, ""), func(t *testing.T) {
			dir := filepath.Join(zoo(t), c.model)
			_, err := savedmodel.Read(t.Context(), dir, savedmodel.Options{Signature: c.signature, Tags: c.tags})
			if err == nil {
				t.Fatal("read")
			}
			if errors.Is(err, savedmodel.ErrUnsupported) != c.unsupported {
				t.Errorf("%v: unsupported %v", err, !c.unsupported)
			}
			for _, s := range append(c.says, dir) {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
		})
	}
}
