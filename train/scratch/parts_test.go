package scratch

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"tkit/architectures/builder"
	"tkit/internal/network"
)

func TestIndicesPartEachEpoch(t *testing.T) {
	for _, n := range []int{1, 15, 16, 17, 100} {
		perEpoch := stepsPerEpoch(n, 16)
		orders := map[int][]int{}
		for step := range 2 * perEpoch {
			batch := indices(n, 16, step, 3)
			if len(batch) > 16 || len(batch) < n/perEpoch {
				t.Errorf("n %d step %d: %d images", n, step, len(batch))
			}
			orders[step/perEpoch] = append(orders[step/perEpoch], batch...)
		}
		if n > 15 && slices.Equal(orders[0], orders[1]) {
			t.Errorf("n %d: both epochs have one order", n)
		}
		for epoch, order := range orders {
			slices.Sort(order)
			for i, v := range order {
				if i != v {
					t.Fatalf("n %d epoch %d: image %d is not there once", n, epoch, i)
				}
			}
		}
	}
}

func TestRate(t *testing.T) {
	o := Options{LearningRate: 1, Warmup: 1}
	for _, c := range []struct {
		schedule Schedule
		step     int
		want     float64
	}{
		{Constant, 0, 0.1}, {Constant, 8, 0.9}, {Constant, 50, 1}, {Constant, 99, 1},
		{Cosine, 50, 0.5}, {Cosine, 4, 0.5},
		{Steps, 49, 1}, {Steps, 50, 0.1}, {Steps, 75, 0.01},
	} {
		o.Schedule = c.schedule
		if got := o.rate(c.step, 100, 10); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s at step %d: %g, want %g", c.schedule, c.step, got, c.want)
		}
	}
}

func TestAugment(t *testing.T) {
	src := []float32{1, 2, 3, 4}
	counts := map[[4]float32]int{}
	for i := range 400 {
		dst := make([]float32, 4)
		Augment{Flip: true}.Apply(dst, src, [3]int{2, 2, 1}, generator(1, "augment", uint64(i)))
		counts[[4]float32(dst)]++
	}
	if len(counts) != 2 || counts[[4]float32{2, 1, 4, 3}] < 150 || counts[[4]float32{1, 2, 3, 4}] < 150 {
		t.Errorf("flips: %v", counts)
	}
	clear(counts)
	for i := range 900 {
		dst := make([]float32, 4)
		Augment{Shift: 1}.Apply(dst, src, [3]int{2, 2, 1}, generator(1, "augment", uint64(i)))
		counts[[4]float32(dst)]++
	}
	if len(counts) != 9 || counts[[4]float32{4, 0, 0, 0}] < 50 || counts[[4]float32{0, 0, 0, 1}] < 50 {
		t.Errorf("shifts: %v", counts)
	}
}

// The first step of Adam moves every weight by the learning rate against the
// gradient's sign, whatever its size, and AdamW also subtracts ηλw.
func TestFirstStepOfAdamW(t *testing.T) {
	const rate, decay = 1e-3, 0.5
	o := Options{Optimiser: AdamW, LearningRate: rate, Schedule: Constant, WeightDecay: decay, Epochs: 1, BatchSize: 8, Threads: 1, Seed: 3}
	g := lenet(t)
	r, err := Train(context.Background(), g, Data{"bars", bars{8, 32, 1}, nil}, o)
	if err != nil {
		t.Fatal(err)
	}
	initial, err := builder.Initial(g, o.Seed)
	if err != nil {
		t.Fatal(err)
	}
	moved := 0
	for i, v := range g.Variables() {
		w := r.Weights[slices.IndexFunc(r.Weights, func(w *network.Weight) bool { return w.Name == v.Name })]
		before := initial[slices.IndexFunc(initial, func(w *network.Weight) bool { return w.Name == v.Name })]
		for k := 0; k < len(w.Data); k += 4 {
			a, b := float(before.Data[k:]), float(w.Data[k:])
			step := a - b
			if v.Decay {
				step -= rate * decay * a
			}
			if math.Abs(step) > rate*1.001+1e-7 {
				t.Fatalf("variable %d %s moved by %g", i, v.Name, step)
			}
			if math.Abs(step) > rate*0.98 {
				moved++
			}
		}
	}
	if moved < 10000 {
		t.Errorf("only %d weights moved by the learning rate", moved)
	}
}

func float(b []byte) float64 { return float64(math.Float32frombits(binary.LittleEndian.Uint32(b))) }
