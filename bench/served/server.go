package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"tkit/serve"
	"tkit/serve/server"
)

// A running server in this process, and a client of it.
type running struct {
	url    string
	client *http.Client
	cancel context.CancelFunc
	ended  chan error
	asked  atomic.Int64
}

// startServer starts a server and returns when it is ready.
func startServer(ctx context.Context, m *model, o options) (*running, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &running{
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
		cancel: cancel, ended: make(chan error, 1),
	}
	ready := make(chan struct{})
	options := server.Defaults()
	options.Home, options.HTTP, options.GRPC, options.Drain = m.home, "127.0.0.1:0", "", 0
	options.MaxBatch, options.Log = o.maxBatch, slog.New(slog.DiscardHandler)
	options.Listening = func(a server.Addresses) { s.url = "http://" + a.HTTP + "/v1/models/" + modelName + ":classify-image" }
	options.Ready = func([]serve.ModelStatus) { close(ready) }
	go func() { s.ended <- server.Run(ctx, options) }()
	select {
	case <-ready:
		return s, nil
	case err := <-s.ended:
		cancel()
		return nil, err
	}
}

func (s *running) stop() error {
	s.client.CloseIdleConnections()
	s.cancel()
	return <-s.ended
}

// ask classifies an image and says how long it took, and how long of that were
// the decoding and the runs of the two networks.
func (s *running) ask(ctx context.Context, encoded []byte) (whole, work time.Duration, err error) {
	begun := time.Now()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(encoded))
	if err != nil {
		return 0, 0, err
	}
	r.Header.Set("Content-Type", "image/jpeg")
	answer, err := s.client.Do(r)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	text, err := io.ReadAll(answer.Body)
	whole = time.Since(begun)
	if err != nil {
		return 0, 0, err
	}
	if answer.StatusCode != http.StatusOK {
		return 0, 0, fmt.Errorf("%s: %s", answer.Status, text)
	}
	var told struct {
		Timings struct{ Decode, Trunk, Head float64 } // milliseconds
	}
	if err := json.Unmarshal(text, &told); err != nil {
		return 0, 0, err
	}
	t := told.Timings
	return whole, time.Duration((t.Decode + t.Trunk + t.Head) * float64(time.Millisecond)), nil
}

// flood asks with clients that never pause: answers a second. No two clients
// ask about the same image at a time.
func (s *running) flood(ctx context.Context, images [][]byte, clients int, turn time.Duration) (float64, error) {
	group, ctx := errgroup.WithContext(ctx)
	begun := time.Now()
	var done atomic.Int64
	for range clients {
		group.Go(func() error {
			for time.Since(begun) < turn {
				next := s.asked.Add(1) % int64(len(images))
				if _, _, err := s.ask(ctx, images[next]); err != nil {
					return err
				}
				done.Add(1)
			}
			return nil
		})
	}
	err := group.Wait()
	return float64(done.Load()) / time.Since(begun).Seconds(), err
}
