package scratch

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tkit/architectures"
	"tkit/internal/needs"
	"tkit/internal/network"
)

// bars are images of bright bars on noise: horizontal in class 0, vertical in
// class 1.
type bars struct {
	n, size int
	seed    uint64
}

func (b bars) Len() int        { return b.n }
func (b bars) Label(i int) int { return i % 2 }

func (b bars) Image(_ context.Context, i int, dst []float32) error {
	random := rand.New(rand.NewPCG(b.seed, uint64(i)))
	for k := range dst {
		dst[k] = float32(random.NormFloat64() * 0.3)
	}
	at := 4 + random.IntN(b.size-8)
	for k := range b.size {
		y, x := at, k
		if b.Label(i) == 1 {
			y, x = k, at
		}
		dst[y*b.size+x] += 1.5
	}
	return nil
}

func lenet(t testing.TB) *architectures.Graph {
	t.Helper()
	a, err := architectures.Lookup("lenet5")
	if err != nil {
		t.Fatal(err)
	}
	g, err := a.Build(2, a.Input)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func options() Options {
	return Options{LearningRate: 0.02, Epochs: 3, BatchSize: 16, Seed: 7, Threads: 2,
		WeightDecay: 1e-4, Augment: Augment{Shift: 2, Brightness: 0.1, Contrast: 0.1}}
}

func TestTrainLearns(t *testing.T) {
	for _, optimiser := range []Optimiser{SGD, AdamW} {
		t.Run(string(optimiser), func(t *testing.T) {
			o := options()
			o.Optimiser, o.Epochs = optimiser, 5
			if optimiser == AdamW {
				o.LearningRate = 2e-3
			}
			var epochs []Epoch
			o.Progress = func(p Progress) {
				if p.Done != nil {
					epochs = append(epochs, *p.Done)
				}
			}
			r, err := Train(context.Background(), lenet(t), Data{"bars", bars{160, 32, 1}, bars{60, 32, 2}}, o)
			if err != nil {
				t.Fatal(err)
			}
			best := r.History[r.Best-1]
			if best.ValidationAccuracy < 0.9 {
				t.Errorf("accuracy %.2f after %d epochs: %+v", best.ValidationAccuracy, len(r.History), r.History)
			}
			if !slices.Equal(epochs, r.History) {
				t.Errorf("progress reported %+v, the history is %+v", epochs, r.History)
			}
		})
	}
}

func TestTrainRepeatsToTheBit(t *testing.T) {
	train := func() []*network.Weight {
		r, err := Train(context.Background(), lenet(t), Data{"bars", bars{64, 32, 1}, nil}, options())
		if err != nil {
			t.Fatal(err)
		}
		return r.Weights
	}
	same(t, train(), train())
}

func same(t *testing.T, a, b []*network.Weight) {
	t.Helper()
	if len(a) == 0 || len(a) != len(b) {
		t.Fatalf("%d weights and %d", len(a), len(b))
	}
	for i := range a {
		if a[i].Name != b[i].Name || !bytes.Equal(a[i].Data, b[i].Data) {
			t.Errorf("%s and %s differ", a[i].Name, b[i].Name)
		}
	}
}

// TestResumeAfterKill kills the process at several steps in turn and checks
// that the last result equals, bit for bit, that of an uninterrupted run.
func TestResumeAfterKill(t *testing.T) {
	needs.Minutes(t)
	for _, c := range []struct {
		architecture string
		optimiser    Optimiser
	}{{"lenet5", SGD}, {"resnet20-cifar", AdamW}} {
		t.Run(c.architecture, func(t *testing.T) {
			dir := t.TempDir()
			child := func(out, checkpoints, killAt string) error {
				cmd := exec.Command(os.Args[0], "-test.run", "^TestChild$")
				cmd.Env = append(os.Environ(), "SCRATCH_OUT="+out, "SCRATCH_CHECKPOINTS="+checkpoints, "SCRATCH_KILL="+killAt,
					"SCRATCH_ARCHITECTURE="+c.architecture, "SCRATCH_OPTIMISER="+string(c.optimiser))
				said, err := cmd.CombinedOutput()
				var exit *exec.ExitError
				if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == -1) {
					t.Fatalf("child: %v\n%s", err, said)
				}
				return err
			}
			undisturbed, disturbed := filepath.Join(dir, "undisturbed"), filepath.Join(dir, "disturbed")
			if err := child(undisturbed, filepath.Join(dir, "a"), ""); err != nil {
				t.Fatal(err)
			}
			for _, kill := range []string{"1", "3", "6"} {
				if err := child(disturbed, filepath.Join(dir, "b"), kill); err == nil {
					t.Fatalf("the child that was to be killed at step %s lived", kill)
				}
			}
			if err := child(disturbed, filepath.Join(dir, "b"), ""); err != nil {
				t.Fatal(err)
			}
			a, err := os.ReadFile(undisturbed)
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(disturbed)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a, b) {
				t.Error("the resumed run's weights differ from the undisturbed run's")
			}
		})
	}
}

// TestChild is run by TestResumeAfterKill in separate processes.
func TestChild(t *testing.T) {
	out := os.Getenv("SCRATCH_OUT")
	if out == "" {
		return
	}
	a, err := architectures.Lookup(os.Getenv("SCRATCH_ARCHITECTURE"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := a.Build(2, [3]int{32, 32, 1})
	if err != nil {
		t.Fatal(err)
	}
	o := options()
	o.Optimiser, o.Checkpoints, o.CheckpointEvery, o.Patience = Optimiser(os.Getenv("SCRATCH_OPTIMISER")), os.Getenv("SCRATCH_CHECKPOINTS"), 1, 2
	o.Progress = func(p Progress) {
		if kill := os.Getenv("SCRATCH_KILL"); kill != "" && p.Done == nil && p.Step >= int(kill[0]-'0') {
			self, _ := os.FindProcess(os.Getpid())
			self.Kill()
			select {}
		}
	}
	r, err := Train(context.Background(), g, Data{"bars", bars{40, 32, 1}, bars{10, 32, 2}}, o)
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, w := range r.Weights {
		all = append(append(all, w.Name...), w.Data...)
	}
	if err := os.WriteFile(out, all, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCancelKeepsACheckpoint(t *testing.T) {
	o := options()
	o.Checkpoints, o.CheckpointEvery = t.TempDir(), time.Hour
	undisturbed, err := Train(context.Background(), lenet(t), Data{"bars", bars{64, 32, 1}, bars{8, 32, 2}}, options())
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{2, 4, 7} { // 4 is an epoch's last step
		ctx, cancel := context.WithCancel(context.Background())
		o.Progress = func(p Progress) {
			if p.Step >= at {
				cancel()
			}
		}
		if _, err := Train(ctx, lenet(t), Data{"bars", bars{64, 32, 1}, bars{8, 32, 2}}, o); !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled at step %d: error %v", at, err)
		}
	}
	o.Progress = nil
	r, err := Train(context.Background(), lenet(t), Data{"bars", bars{64, 32, 1}, bars{8, 32, 2}}, o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Resumed < 7 {
		t.Errorf("resumed at step %d, want 7 or later", r.Resumed)
	}
	same(t, r.Weights, undisturbed.Weights)
	if !slices.Equal(r.History, undisturbed.History) {
		t.Errorf("history %+v, want %+v", r.History, undisturbed.History)
	}
	if err := r.Discard(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(o.Checkpoints); len(left) > 0 {
		t.Errorf("left after Discard: %v", left)
	}
}

func TestDamagedCheckpoint(t *testing.T) {
	o := options()
	o.Checkpoints, o.CheckpointEvery = t.TempDir(), 1
	ctx, cancel := context.WithCancel(context.Background())
	o.Progress = func(p Progress) {
		if p.Step == 6 {
			cancel()
		}
	}
	if _, err := Train(ctx, lenet(t), Data{"bars", bars{64, 32, 1}, nil}, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(o.Checkpoints, "*", checkpointPrefix+"*", "variables.data*"))
	if err != nil || len(found) != kept {
		t.Fatalf("checkpoints %v, %v", found, err)
	}
	flip := func(path string) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(found)
	flip(found[1])
	o.Progress = nil
	r, err := Train(context.Background(), lenet(t), Data{"bars", bars{64, 32, 1}, nil}, o)
	if err != nil {
		t.Fatalf("with the newest checkpoint damaged: %v", err)
	}
	if r.Resumed != 5 {
		t.Errorf("resumed at step %d, want the undamaged checkpoint's 5", r.Resumed)
	}
}

func TestFaults(t *testing.T) {
	ok := options()
	for name, c := range map[string]struct {
		images  Images
		options func(*Options)
		want    error
	}{
		"no images":       {bars{0, 32, 1}, func(*Options) {}, nil},
		"unknown rule":    {bars{8, 32, 1}, func(o *Options) { o.Optimiser = "sgdm" }, nil},
		"negative rate":   {bars{8, 32, 1}, func(o *Options) { o.LearningRate = -1 }, nil},
		"unreadable":      {broken{bars{8, 32, 1}}, func(*Options) {}, errUnreadable},
		"divergence":      {bars{64, 32, 1}, func(o *Options) { o.LearningRate = math.MaxFloat32 }, ErrDiverged},
		"unknown plan":    {bars{8, 32, 1}, func(o *Options) { o.Schedule = "linear" }, nil},
		"class too large": {three{bars{8, 32, 1}}, func(*Options) {}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := ok
			c.options(&o)
			_, err := Train(context.Background(), lenet(t), Data{"bars", c.images, nil}, o)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

var errUnreadable = errors.New("unreadable")

type broken struct{ bars }

func (broken) Image(context.Context, int, []float32) error { return errUnreadable }

type three struct{ bars }

func (three) Label(int) int { return 2 }
