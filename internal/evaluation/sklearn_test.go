package evaluation

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"tkit/internal/needs"
)

const sklearn = `
import json, sys
import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn import metrics
d = json.load(sys.stdin)
t = np.array(d["Truth"]); k = len(d["Labels"])
z = np.array(d["Logits"], dtype=np.float64).reshape(len(t), k)
y = z.argmax(1); q = np.exp(log_softmax(z, axis=1)); n = len(t)
def loss(b):
    l = log_softmax(b * z, axis=1)
    e = 1 / (n + 2)
    return -((1 - e) * l[np.arange(n), t] + e / (k - 1) * (l.sum(1) - l[np.arange(n), t])).mean()
confidence, right = q.max(1), y == t
bins = [np.floor(np.minimum(confidence * 15, 14)) == b for b in range(15)]
p, r, f, s = metrics.precision_recall_fscore_support(t, y, labels=range(k), zero_division=0)
json.dump({
    "accuracy": metrics.accuracy_score(t, y),
    "top5": metrics.top_k_accuracy_score(t, z, k=5, labels=range(k)),
    "balanced": metrics.balanced_accuracy_score(t, y),
    "nll": metrics.log_loss(t, q, labels=range(k)),
    "brier": float(((q - np.eye(k)[t]) ** 2).sum(1).mean()),
    "ece": float(sum(abs(right[b].mean() - confidence[b].mean()) * b.mean() for b in bins if b.any())),
    "precision": list(p), "recall": list(r), "f1": list(f), "support": [int(x) for x in s],
    "confusion": metrics.confusion_matrix(t, y, labels=range(k)).tolist(),
    "temperature": 1 / minimize_scalar(loss, bounds=(0.01, 100), method="bounded", options={"xatol": 1e-10}).x,
}, sys.stdout)
`

// All metrics agree with scikit-learn and SciPy.
func TestAgainstScikitLearn(t *testing.T) {
	p := random(700, 9, 2.5)
	in, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	python := needs.Python(t)
	cmd := exec.Command(python, "-c", sklearn)
	cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1")
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(in)), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s with scikit-learn is needed (make deps, or set TKIT_PYTHON): %v", python, err)
	}
	var want struct {
		Accuracy, Top5, Balanced, NLL, Brier, ECE, Temperature float64
		Precision, Recall, F1                                  []float64
		Support                                                []int
		Confusion                                              [][]int
	}
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	e, err := Evaluate(p, 1)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "accuracy", e.Accuracy.Value, want.Accuracy, 1e-12)
	near(t, "top-5", e.Top5.Value, want.Top5, 1e-12)
	near(t, "balanced accuracy", e.BalancedAccuracy, want.Balanced, 1e-12)
	near(t, "NLL", e.Uncalibrated.NLL, want.NLL, 1e-7)
	near(t, "Brier", e.Uncalibrated.Brier, want.Brier, 1e-7)
	near(t, "ECE", e.Uncalibrated.ECE, want.ECE, 1e-7)
	for i, c := range e.Classes {
		near(t, "precision", c.Precision, want.Precision[i], 1e-12)
		near(t, "recall", c.Recall, want.Recall[i], 1e-12)
		near(t, "F1", c.F1, want.F1[i], 1e-12)
		if c.Support != want.Support[i] {
			t.Errorf("support of %s is %d, want %d", c.Label, c.Support, want.Support[i])
		}
		for j, n := range e.Matrix()[i] {
			if n != want.Confusion[i][j] {
				t.Errorf("confusion at %d, %d is %d, want %d", i, j, n, want.Confusion[i][j])
			}
		}
	}
	temperature, err := FitTemperature(p)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "temperature", temperature, want.Temperature, 1e-5)
}
