package head

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
from sklearn.linear_model import LogisticRegression
job = json.load(sys.stdin)
y = np.array(job["Labels"]); n = len(y)
x = np.array(job["Features"]).reshape(n, job["Dim"])
v = x.var(0); v[v < 1e-8 * np.abs(x).max(0) ** 2] = np.inf
typical = np.sort(v[np.isfinite(v)])[np.isfinite(v).sum() // 2]
x = (x - x.mean(0)) / np.sqrt((n * v + 10 * typical) / (n + 10))
answers = []
for penalty in job["Penalties"]:
    m = LogisticRegression(C=1 / (n * penalty), tol=1e-6, max_iter=10000).fit(x, y)
    loss = -np.log(m.predict_proba(x)[np.arange(n), y]).mean()
    answers.append(loss + penalty / 2 * (m.coef_ ** 2).sum())
json.dump(answers, sys.stdout)
`

// scikit-learn, in float64 and with a tight tolerance, finds the same minima.
func TestAgainstScikitLearn(t *testing.T) {
	python := needs.Python(t)
	penalties := []float64{1, .1, .01}
	for _, c := range []struct{ n, dim int }{{240, 30}, {60, 150}} {
		learn, labels := blobs(c.n, c.dim, 6, 1)
		judge, _ := blobs(12, c.dim, 6, 2)
		in, err := json.Marshal(map[string]any{
			"Labels": learn.Labels, "Features": learn.Features, "Dim": learn.Dim, "Penalties": penalties,
		})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(python, "-c", sklearn)
		cmd.Env = append(os.Environ(), "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1")
		cmd.Stdin, cmd.Stderr = strings.NewReader(string(in)), os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s with scikit-learn is needed (make deps, or set TKIT_PYTHON): %v", python, err)
		}
		var want []float64
		if err := json.Unmarshal(out, &want); err != nil {
			t.Fatal(err)
		}
		r := train(t, learn, judge, labels, Options{Penalties: penalties, Full: true})
		for i, trial := range r.Trials {
			near(t, "objective", trial.Objective, want[i], 1e-4*want[i])
		}
	}
}
