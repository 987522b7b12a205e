package datasets_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"testing"

	"tkit/datasets"
	"tkit/datasets/sourcetest"
)

// million is a source of n different images in a hundred classes, made on
// demand.
type million struct {
	n       int
	grouped bool // five images per group, two groups of three fixed to a side
}

func (m million) URI() string { return "memory://million" }

func (m million) Examples(ctx context.Context) iter.Seq2[datasets.Example, error] {
	picture := sourcetest.Picture(0)
	return func(yield func(datasets.Example, error) bool) {
		for i := range m.n {
			label := fmt.Sprintf("species-%02d", i*100/m.n)
			open := func(context.Context) (io.ReadCloser, error) {
				b := binary.BigEndian.AppendUint32(bytes.Clone(picture), uint32(i)) // bytes after the end are allowed
				return io.NopCloser(bytes.NewReader(b)), nil
			}
			e := datasets.Example{Key: fmt.Sprintf("%s/camera-7/image-%08d.png", label, i), Label: label, Open: open}
			if m.grouped {
				e.Group, e.Split = fmt.Sprintf("%s/walk-%06d", label, i/5), []string{"", datasets.Train, datasets.Test}[i/5%3]
			}
			if !yield(e, ctx.Err()) {
				return
			}
		}
	}
}

// Fifty thousand entries take about a twentieth of the memory allowed for a
// million, plus the workers' buffers. bench/datasets measures a million.
func TestSnapshotMemory(t *testing.T) {
	for _, grouped := range []bool{false, true} {
		heap := heapOf(t, million{50_000, grouped})
		t.Logf("grouped %t: %.0f MB of heap", grouped, heap)
		if heap > 40 { // the resident set would do as well, except under the race detector
			t.Errorf("50,000 entries (grouped %t) take %.0f MB", grouped, heap)
		}
	}
}

// heapOf runs TestMillionChild and returns the largest heap of that process in
// megabytes. The number of workers, each with a buffer of a megabyte, depends
// on the processors, and a garbage collector that waits for twice the live heap
// would dominate the measurement. Both are fixed.
func heapOf(t *testing.T, m million) float64 {
	t.Helper()
	command := exec.Command(os.Args[0], "-test.run=^TestMillionChild$", "-test.v")
	command.Env = append(os.Environ(), fmt.Sprintf("TKIT_TEST_ENTRIES=%d", m.n), fmt.Sprintf("TKIT_TEST_GROUPED=%t", m.grouped))
	command.Env = append(command.Env, "GOMAXPROCS=2", "GOGC=25")
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found := regexp.MustCompile(`heap: (\d+) kB`).FindSubmatch(out)
	if found == nil {
		t.Fatalf("no heap in %s", out)
	}
	kB, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return kB / 1000
}

// TestMillionChild does the work for heapOf; alone it runs with few entries.
func TestMillionChild(t *testing.T) {
	n := 1000
	if s := os.Getenv("TKIT_TEST_ENTRIES"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	s, r := take(t, million{n, os.Getenv("TKIT_TEST_GROUPED") == "true"})
	if len(s.Entries) != n || len(r.Quarantined)+len(r.Duplicates) > 0 {
		t.Fatalf("%d entries, %d quarantined, %d duplicates", len(s.Entries), len(r.Quarantined), len(r.Duplicates))
	}
	split, err := s.Split(datasets.Fractions{Validation: .1, Test: .1})
	if err != nil || len(split.Train) < n/2 {
		t.Fatal(len(split.Train), err)
	}
	file, err := os.Create(t.TempDir() + "/snapshot")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := s.Encode(file); err != nil {
		t.Fatal(err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	want := s.Digest
	s, r = nil, nil
	if s, err = datasets.DecodeSnapshot(file); err != nil || s.Digest != want {
		t.Fatal(err)
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	t.Logf("heap: %d kB", memory.HeapSys/1000)
}
