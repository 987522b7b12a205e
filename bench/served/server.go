package served

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

	"tkit/inference"
	"tkit/serve/server"
)

// Server runs in this process, which is also its client.
type Server struct {
	url    string
	client *http.Client
	cancel context.CancelFunc
	ended  chan error
	asked  atomic.Int64
}

// Start starts a server of a home with a maximal batch size, and returns when
// it is ready.
func Start(ctx context.Context, home string, maxBatch int) (*Server, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &Server{
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
		cancel: cancel, ended: make(chan error, 1),
	}
	ready := make(chan struct{})
	options := server.Defaults()
	options.Home, options.HTTP, options.GRPC, options.Drain = home, "127.0.0.1:0", "", 0
	options.MaxBatch, options.Log = maxBatch, slog.New(slog.DiscardHandler)
	options.Listening = func(a server.Addresses) { s.url = "http://" + a.HTTP + "/v1/models/" }
	options.Ready = func([]inference.ModelStatus) { close(ready) }
	go func() { s.ended <- server.Run(ctx, options) }()
	select {
	case <-ready:
		return s, nil
	case err := <-s.ended:
		cancel()
		return nil, err
	}
}

// Stop ends the server.
func (s *Server) Stop() error {
	s.client.CloseIdleConnections()
	s.cancel()
	return <-s.ended
}

// Answer is a model's result for an image.
type Answer struct {
	Predictions []struct {
		Labels []struct {
			Label       string
			Probability float64
		}
	}
	Timings struct{ Decode, Trunk, Head float64 } `json:"timings_ms"`
	// Whole is the client's waiting time.
	Whole time.Duration `json:"-"`
}

// Work returns the part of it for decoding and the runs of the two networks.
func (a Answer) Work() time.Duration {
	t := a.Timings
	return time.Duration((t.Decode + t.Trunk + t.Head) * float64(time.Millisecond))
}

// Ask sends an image to a model.
func (s *Server) Ask(ctx context.Context, model string, encoded []byte) (a Answer, err error) {
	begun := time.Now()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+model+":classify-image", bytes.NewReader(encoded))
	if err != nil {
		return a, err
	}
	r.Header.Set("Content-Type", "image/jpeg")
	answer, err := s.client.Do(r)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	text, err := io.ReadAll(answer.Body)
	a.Whole = time.Since(begun)
	if err != nil {
		return a, err
	}
	if answer.StatusCode != http.StatusOK {
		return a, fmt.Errorf("%s: %s", answer.Status, text)
	}
	return a, json.Unmarshal(text, &a)
}

// Flood sends requests to a model by clients that never pause, and returns
// responses/s. No two clients send the same image at the same time.
func (s *Server) Flood(ctx context.Context, model string, images [][]byte, clients int, turn time.Duration) (float64, error) {
	group, ctx := errgroup.WithContext(ctx)
	begun := time.Now()
	var done atomic.Int64
	for range clients {
		group.Go(func() error {
			for time.Since(begun) < turn {
				next := s.asked.Add(1) % int64(len(images))
				if _, err := s.Ask(ctx, model, images[next]); err != nil {
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
