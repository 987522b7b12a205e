package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"tkit/bench/measure"
)

const (
	fileSize = 20_000  // bytes
	perSync  = 64      // files
	wanted   = 5_000.0 // images a second
)

// copying measures a pipeline without a model.
func copying(ctx context.Context, dir string, files, rounds int) (_ measure.Row, err error) {
	in := filepath.Join(dir, "in")
	if err := fill(in, files, fileSize); err != nil {
		return measure.Row{}, err
	}
	home := filepath.Join(dir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		return measure.Row{}, err
	}
	// Each round has new folders: for minutes after files were deleted, ext4 is slow to
	// create others.
	round := 0
	pipeline, plain, ratio, err := measure.Interleave(rounds,
		func() (float64, error) {
			round++
			return through(ctx, home, dir, in, filepath.Join(dir, fmt.Sprint("out-", round)), files)
		},
		func() (float64, error) {
			begun := time.Now()
			err := copyAll(in, filepath.Join(dir, fmt.Sprint("copied-", round)), files)
			return float64(files) / time.Since(begun).Seconds(), err
		})
	return measure.Row{
		What: "images a second through a pipeline without a model, 20 KB", Against: fmt.Sprintf("%.0f", wanted),
		Measured: pipeline, Reference: wanted, Ratio: pipeline / wanted, Target: 1,
		Note: fmt.Sprintf("copying alone %.0f a second, %.2f of which it reaches", plain, ratio),
	}, err
}

// through runs a pipeline without a model.
func through(ctx context.Context, home, dir, in, out string, files int) (_ float64, err error) {
	p, err := newPipeline(ctx, home, dir, fmt.Sprintf("name: overhead\ninput: {tkit_directory: {path: %q, settle: 1ms}}\noutput: {tkit_folder: {path: %q}}\n", in, out))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.forget(); err != nil {
		return 0, err
	}
	return p.run(ctx, files)
}

// fill makes files of random bytes, numbered from 0.
func fill(dir string, files, size int) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	random := rand.NewChaCha8([32]byte{})
	content := make([]byte, size)
	for i := range files {
		if _, err := random.Read(content); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// copyAll copies the files of a folder by two goroutines, with one write of the file
// system for each 64 files.
func copyAll(from, to string, files int) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	d, err := os.Open(to)
	if err != nil {
		return err
	}
	defer d.Close()
	const workers = 2
	errs := make([]error, workers)
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for i := w; i < files && errs[w] == nil; i += workers {
				content, err := os.ReadFile(filepath.Join(from, fmt.Sprint(i)))
				if err == nil {
					err = os.WriteFile(filepath.Join(to, fmt.Sprint(i)), content, 0o600)
				}
				if err == nil && i/workers%perSync == perSync-1 {
					err = unix.Syncfs(int(d.Fd()))
				}
				errs[w] = err
			}
		})
	}
	running.Wait()
	return errors.Join(append(errs, unix.Syncfs(int(d.Fd())))...)
}
