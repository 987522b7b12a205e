package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"iter"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"

	"tkit/bench/measure"
	"tkit/datasets"
	"tkit/datasets/similarity"
)

// resident runs this program with -snapshot and returns its row.
func resident(ctx context.Context, entries int) (measure.Row, error) {
	own, err := os.Executable()
	if err != nil {
		return measure.Row{}, err
	}
	command := exec.CommandContext(ctx, own, "-snapshot", "-entries", strconv.Itoa(entries))
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return measure.Row{}, fmt.Errorf("taking the snapshot: %w", err)
	}
	mB, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		return measure.Row{}, err
	}
	return measure.Row{
		What: fmt.Sprintf("snapshot of %d entries: compared for similarity, split, written and read", entries), Against: "largest resident memory",
		Measured: mB, Unit: "MB", Ratio: mB, Target: 300, AtMost: true,
		Note: "groups of five, two of three groups fixed to a side",
	}, nil
}

// made is a source of different images in a hundred classes, generated on
// demand.
type made struct {
	n       int
	picture []byte
}

func (m made) URI() string { return "memory://made" }

func (m made) Examples(ctx context.Context) iter.Seq2[datasets.Example, error] {
	return func(yield func(datasets.Example, error) bool) {
		for i := range m.n {
			label := fmt.Sprintf("species-%02d", i*100/m.n)
			e := datasets.Example{
				Key: fmt.Sprintf("%s/camera-7/image-%08d.png", label, i), Label: label,
				Group: fmt.Sprintf("%s/walk-%06d", label, i/5), Split: []string{"", datasets.Train, datasets.Test}[i/5%3],
				Open: func(context.Context) (io.ReadCloser, error) {
					b := binary.BigEndian.AppendUint32(bytes.Clone(m.picture), uint32(i)) // bytes after the end are allowed
					return io.NopCloser(bytes.NewReader(b)), nil
				},
			}
			if !yield(e, ctx.Err()) {
				return
			}
		}
	}
}

// look gives every image its own fingerprint, since all have the same picture:
// the memory of the fingerprints and of their comparison is measured.
func look(_ context.Context, encoded []byte) (p similarity.Print, ok bool, err error) {
	r := rand.New(rand.NewPCG(uint64(binary.BigEndian.Uint32(encoded[len(encoded)-4:])), 1))
	p.Hash = r.Uint64()
	for i := range p.Shape {
		p.Shape[i] = int8(r.IntN(255) - 127)
	}
	return p, true, nil
}

// snapshot does the work whose memory is measured, and prints the largest
// resident memory in MB.
func snapshot(ctx context.Context, entries int) error {
	debug.SetGCPercent(50) // as in cmd/tkit
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 3, 2))); err != nil {
		return err
	}
	digest, file, err := taken(ctx, made{entries, picture.Bytes()})
	if file != nil {
		defer os.Remove(file.Name())
		defer file.Close()
	}
	if err != nil {
		return err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	again, err := datasets.DecodeSnapshot(file)
	if err != nil {
		return err
	}
	if again.Digest != digest {
		return errors.New("the snapshot differs after it was written and read")
	}
	mB, err := measure.Memory(measure.LargestResident)
	if err != nil {
		return err
	}
	_, err = fmt.Println(mB)
	return err
}

// taken takes the snapshot, splits it and writes it to a temporary file.
func taken(ctx context.Context, src made) (digest string, file *os.File, err error) {
	s, report, err := datasets.TakeSnapshot(ctx, src, datasets.SnapshotOptions{Look: look})
	if err != nil {
		return "", nil, err
	}
	if n := report.Near; len(s.Entries) != src.n || len(report.Quarantined)+len(report.Duplicates) > 0 || n.Compared+n.Left != src.n || n.Incomplete {
		return "", nil, fmt.Errorf("%d entries of %d, %d quarantined, %d duplicates, %d compared", len(s.Entries), src.n, len(report.Quarantined), len(report.Duplicates), n.Compared)
	}
	if _, err := s.Split(datasets.Fractions{Validation: .1, Test: .1}); err != nil {
		return "", nil, err
	}
	if file, err = os.CreateTemp("", "tkit-bench-snapshot-"); err != nil {
		return "", nil, err
	}
	return s.Digest, file, s.Encode(file)
}
