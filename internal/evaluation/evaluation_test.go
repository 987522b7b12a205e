package evaluation

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// logOdds returns logits whose softmax is exactly the given rows.
func logOdds(rows ...[]float64) []float32 {
	var z []float32
	for _, row := range rows {
		for _, q := range row {
			z = append(z, float32(math.Log(q)))
		}
	}
	return z
}

// random returns n noisy predictions of k classes, overconfident by the factor.
func random(n, k int, factor float64) Predictions {
	rng := rand.New(rand.NewPCG(1, uint64(n*k)))
	p := Predictions{Truth: make([]int, n), Logits: make([]float32, n*k)}
	for c := range k {
		p.Labels = append(p.Labels, string(rune('A'+c)))
	}
	for i := range n {
		row := p.row(i)
		total, pick := 0.0, rng.Float64()
		for c := range row {
			row[c] = float32(rng.NormFloat64() * 2)
			total += math.Exp(float64(row[c]))
		}
		// The truth is drawn from softmax(row): these logits are calibrated.
		for c := range row {
			pick -= math.Exp(float64(row[c])) / total
			if pick <= 0 || c == k-1 {
				p.Truth[i] = c
				break
			}
		}
		for c := range row {
			row[c] *= float32(factor)
		}
	}
	return p
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func TestEvaluateByHand(t *testing.T) {
	p := Predictions{
		Labels: []string{"cat", "dog", "eel"},
		Truth:  []int{0, 0, 1, 1, 1, 0},
		Logits: logOdds(
			[]float64{.7, .2, .1},
			[]float64{.3, .6, .1},
			[]float64{.1, .8, .1},
			[]float64{.1, .8, .1},
			[]float64{.25, .25, .5},
			[]float64{.4, .4, .2}, // a tie goes to the first
		),
	}
	e, err := Evaluate(p, 1)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "accuracy", e.Accuracy.Value, 4./6, 1e-12)
	if e.Top5 != nil {
		t.Error("top-5 reported for three classes")
	}
	near(t, "balanced accuracy", e.BalancedAccuracy, 2./3, 1e-12)
	want := []Class{
		{"cat", 3, 2, 1, 2. / 3, .8},
		{"dog", 3, 3, 2. / 3, 2. / 3, 2. / 3},
		{"eel", 0, 1, 0, 0, 0},
	}
	for i, c := range e.Classes {
		w := want[i]
		if c.Label != w.Label || c.Support != w.Support || c.Predicted != w.Predicted {
			t.Errorf("class %+v, want %+v", c, w)
		}
		near(t, c.Label+" precision", c.Precision, w.Precision, 1e-12)
		near(t, c.Label+" recall", c.Recall, w.Recall, 1e-12)
		near(t, c.Label+" F1", c.F1, w.F1, 1e-12)
	}
	near(t, "macro F1", e.MacroF1, (.8+2./3)/2, 1e-12)
	if want := [][]int{{2, 1, 0}, {0, 2, 1}, {0, 0, 0}}; !reflect.DeepEqual(e.Matrix(), want) {
		t.Errorf("confusion %v, want %v", e.Matrix(), want)
	}
	nll := -(math.Log(.7) + math.Log(.3) + 2*math.Log(.8) + math.Log(.25) + math.Log(.4)) / 6
	near(t, "NLL", e.Calibrated.NLL, nll, 1e-6)
	brier := (.09 + .04 + .01 + .49 + .36 + .01 + 2*(.01+.04+.01) + .0625 + .5625 + .25 + .36 + .16 + .04) / 6
	near(t, "Brier", e.Calibrated.Brier, brier, 1e-6)
	// Confidences .4, .5, .6, .7, .8, .8 fall in five of the fifteen bins.
	ece := (.6 + .5 + .6 + .3 + 2*.2) / 6
	near(t, "ECE", e.Calibrated.ECE, ece, 1e-6)
	if len(e.Calibrated.Reliability) != 5 {
		t.Errorf("%d bins of equal width, want 5", len(e.Calibrated.Reliability))
	}
	// Six answers in fifteen bins of equal counts: one per bin.
	near(t, "adaptive ECE", e.Calibrated.AdaptiveECE, ece, 1e-6)
}

func TestTop5(t *testing.T) {
	p := Predictions{Labels: strings.Split("abcdefg", ""), Truth: []int{5, 6, 4}, Logits: []float32{
		7, 6, 5, 4, 3, 3, 0, // fifth by value, but sixth by order
		0, 0, 0, 0, 0, 0, 1,
		7, 6, 5, 4, 3, 3, 0,
	}}
	e, err := Evaluate(p, 1)
	if err != nil {
		t.Fatal(err)
	}
	if e.Top5 == nil || e.Top5.Successes != 2 {
		t.Errorf("top-5 %+v, want 2 of 3", e.Top5)
	}
}

// The intervals match R's prop.test(x, n, correct = FALSE).
func TestWilson(t *testing.T) {
	for _, c := range []struct {
		successes, trials int
		low, high         float64
	}{
		{0, 10, 0, 0.2775328},
		{10, 10, 0.7224672, 1},
		{15, 20, 0.5312958, 0.8881382},
		{940, 1000, 0.9235165, 0.9531134},
		{0, 0, 0, 1},
	} {
		p := newProportion(c.successes, c.trials)
		near(t, "low", p.Low, c.low, 2e-4)
		near(t, "high", p.High, c.high, 2e-4)
	}
}

func TestCalibrationOfCalibratedLogits(t *testing.T) {
	e, err := Evaluate(random(20000, 5, 1), 1)
	if err != nil {
		t.Fatal(err)
	}
	if e.Calibrated.ECE > .015 || e.Calibrated.AdaptiveECE > .015 {
		t.Errorf("calibrated logits have ECE %v and %v", e.Calibrated.ECE, e.Calibrated.AdaptiveECE)
	}
}

func TestFitTemperatureRecoversTheFactor(t *testing.T) {
	for _, factor := range []float64{.2, 1, 3, 20} {
		p := random(20000, 5, factor)
		temperature, err := FitTemperature(p)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "temperature", temperature, factor, .05*factor)
		e, err := Evaluate(p, temperature)
		if err != nil {
			t.Fatal(err)
		}
		if factor != 1 && (e.Calibrated.ECE > e.Uncalibrated.ECE/2 || e.Calibrated.NLL >= e.Uncalibrated.NLL) {
			t.Errorf("factor %v: calibration went from %+v to %+v", factor, e.Uncalibrated, e.Calibrated)
		}
	}
}

func TestFitTemperatureIsTheMinimum(t *testing.T) {
	p := random(300, 4, 3)
	temperature, err := FitTemperature(p)
	if err != nil {
		t.Fatal(err)
	}
	if slope, _ := smoothedSlope(p, 1/temperature); math.Abs(slope) > 1e-9 {
		t.Errorf("slope %v at the minimum", slope)
	}
}

// The derivatives of the Newton iteration match the objective.
func TestSmoothedSlope(t *testing.T) {
	p := random(50, 3, 2)
	objective := func(beta float64) float64 {
		n, sum := float64(len(p.Truth)), 0.0
		for i, truth := range p.Truth {
			for c, z := range p.row(i) {
				target := 1 / (n + 2) / 2
				if c == truth {
					target = (n + 1) / (n + 2)
				}
				sum -= target * (beta*float64(z) - logSumExp(p.row(i), beta)) / n
			}
		}
		return sum
	}
	const h = 1e-4
	for _, beta := range []float64{.1, 1, 3} {
		slope, curvature := smoothedSlope(p, beta)
		near(t, "slope", slope, (objective(beta+h)-objective(beta-h))/(2*h), 1e-6)
		near(t, "curvature", curvature, (objective(beta+h)-2*objective(beta)+objective(beta-h))/(h*h), 1e-5)
	}
}

// A few examples without an error must not give certainty.
func TestFitTemperatureOfSeparatedExamples(t *testing.T) {
	p := Predictions{Labels: []string{"a", "b"}, Truth: []int{0, 0, 1, 1}, Logits: []float32{1, -1, 1, -1, -1, 1, -1, 1}}
	temperature, err := FitTemperature(p)
	if err != nil {
		t.Fatal(err)
	}
	// The best probability is the smoothed target, 5/6: margin 2/T = log 5.
	near(t, "temperature", temperature, 2/math.Log(5), 1e-9)

	for i := range p.Truth { // all wrong: minimal certainty
		p.Truth[i] = 1 - p.Truth[i]
	}
	if temperature, err = FitTemperature(p); err != nil || temperature != maxTemperature {
		t.Errorf("temperature %v, %v, want %v", temperature, err, float64(maxTemperature))
	}
}

func TestEvaluationIsJSONWhateverTheLogits(t *testing.T) {
	p := Predictions{Labels: []string{"a", "b"}, Truth: []int{0, 1}, Logits: []float32{3e38, -3e38, 3e38, -3e38}}
	e, err := Evaluate(p, minTemperature)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var back Evaluation
	if err := json.Unmarshal(b, &back); err != nil || !reflect.DeepEqual(*e, back) {
		t.Errorf("%v: %+v came back as %+v", err, *e, back)
	}
}

func TestRefusals(t *testing.T) {
	good := random(4, 3, 1)
	for name, spoil := range map[string]func(p *Predictions){
		"classes":  func(p *Predictions) { p.Labels, p.Logits = p.Labels[:1], p.Logits[:4] },
		"examples": func(p *Predictions) { p.Truth, p.Logits = nil, nil },
		"logits":   func(p *Predictions) { p.Logits = p.Logits[1:] },
		"class 3":  func(p *Predictions) { p.Truth = []int{0, 1, 2, 3} },
		"class -1": func(p *Predictions) { p.Truth = []int{0, 1, 2, -1} },
		"NaN":      func(p *Predictions) { p.Logits = append([]float32{float32(math.NaN())}, p.Logits[1:]...) },
		"Inf":      func(p *Predictions) { p.Logits = append([]float32{float32(math.Inf(1))}, p.Logits[1:]...) },
	} {
		p := good
		spoil(&p)
		if _, err := Evaluate(p, 1); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: Evaluate's error is %v", name, err)
		}
		if _, err := FitTemperature(p); err == nil {
			t.Errorf("%s: FitTemperature accepts it", name)
		}
	}
	for _, temperature := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		if _, err := Evaluate(good, temperature); err == nil {
			t.Errorf("temperature %v accepted", temperature)
		}
	}
}

func TestWriteText(t *testing.T) {
	for _, c := range []struct {
		classes int
		want    []string
	}{
		{4, []string{"accuracy", "confusion matrix", "Brier"}},
		{25, []string{"top-5 accuracy", "most frequent errors", "taken for"}},
	} {
		e, err := Evaluate(random(500, c.classes, 1), 1.5)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := e.WriteText(&b); err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%d classes: no %q in\n%s", c.classes, want, b.String())
			}
		}
	}
}
