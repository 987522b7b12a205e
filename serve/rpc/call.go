package rpc

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"tkit/access"
	"tkit/serve"

	"tkit/inference"
)

const (
	// receiving limits the time to receive a request, sending the time to send
	// the response, and watching the time of a health watch.
	receiving = time.Minute
	sending   = 30 * time.Second
	watching  = 10 * time.Minute

	// Health checks are not authenticated. Their messages must be small and arrive
	// soon, and their memory is limited separately.
	healthMessage   = 4 << 10
	healthReceiving = 5 * time.Second
	// healthMemory is enough for 256 concurrent checks, and for as many watches.
	healthMemory = 5 << 20

	// reflectionMessages limits all messages of one call of the reflection service.
	reflectionMessages = 64 << 10

	healthPrefix     = "/grpc.health.v1.Health/"
	reflectionPrefix = "/grpc.reflection."
)

// ServeHTTP answers a call. It authenticates the caller and limits the message
// before it reads any of it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor != 2 || r.Method != http.MethodPost || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		http.Error(w, "this port is for gRPC: POST over HTTP/2 with the content type application/grpc", http.StatusUnsupportedMediaType)
		return
	}
	answered, err := s.call(w, r)
	if err != nil {
		told := statusOf(err)
		if told.Code() == codes.Internal {
			s.Log.ErrorContext(r.Context(), "a call failed", "method", serve.Brief(r.URL.Path), "error", err)
		}
		refuse(w, told)
	} else if answered != nil {
		send(w, answered)
	}
}

// call returns the response to a call, or nil if it has been sent. When it
// returns, the memory of the call is released.
func (s *Server) call(w http.ResponseWriter, r *http.Request) (answered []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			answered, err = nil, fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	controller := http.NewResponseController(w)
	if strings.HasPrefix(r.URL.Path, healthPrefix) {
		memory := s.checks
		if strings.HasSuffix(r.URL.Path, "/Watch") {
			memory = s.watches
		}
		controller.SetReadDeadline(time.Now().Add(healthReceiving))
		controller.SetWriteDeadline(time.Now().Add(watching + sending))
		return nil, s.delegate(w, r, memory, healthMessage)
	}
	ctx := r.Context()
	if s.Authenticate != nil {
		caller, err := s.Authenticate(ctx, r.Header.Get("Authorization"))
		if err != nil {
			return nil, err
		}
		ctx = access.WithCaller(ctx, caller)
	}
	controller.SetReadDeadline(time.Now().Add(receiving))
	if strings.HasPrefix(r.URL.Path, reflectionPrefix) {
		controller.SetWriteDeadline(time.Now().Add(receiving + sending))
		return nil, s.delegate(w, r, s.Memory, reflectionMessages)
	}
	answer, ok := s.methods[r.URL.Path]
	if !ok {
		return nil, newCoded(codes.Unimplemented, inference.NotFound, "unknown method %.100q", r.URL.Path)
	}
	text, err := s.exchange(ctx, controller, r, answer)
	controller.SetWriteDeadline(time.Now().Add(sending))
	return text, err
}

// delegate passes a call to grpc-go. The client may send at most most bytes.
func (s *Server) delegate(w http.ResponseWriter, r *http.Request, memory *serve.Memory, most int64) error {
	account, err := memory.Open()
	if err != nil {
		return err
	}
	defer account.Close()
	r.Body = struct {
		io.Reader
		io.Closer
	}{account.Reader(http.MaxBytesReader(w, r.Body, most)), r.Body}
	s.grpc.ServeHTTP(w, r)
	return nil
}

// exchange reads the message of a call and returns the framed response.
func (s *Server) exchange(ctx context.Context, controller *http.ResponseController, r *http.Request, m method) (text []byte, err error) {
	packed, err := isPacked(r.Header)
	if err != nil {
		return nil, err
	}
	within, err := timeout(r.Header)
	if err != nil {
		return nil, err
	}
	err = s.Do(ctx, serve.Request{API: "grpc", Method: m.name, Within: within}, func(ctx context.Context, c *serve.Call) error {
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < receiving {
			controller.SetReadDeadline(deadline)
		}
		raw, err := readMessage(r.Body, packed, int64(s.MaxMessage), c.Account)
		if err != nil {
			return err
		}
		answer, err := m.answer(s, ctx, raw, c)
		if err != nil {
			return err
		}
		text, err = proto.MarshalOptions{}.MarshalAppend(make([]byte, frameHeader), answer)
		return err
	})
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint32(text[1:], uint32(len(text)-frameHeader))
	return text, nil
}

// send sends a framed message as the response to a call.
func send(w http.ResponseWriter, message []byte) {
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Grpc-Accept-Encoding", "identity,gzip")
	w.Header().Set("Trailer", "Grpc-Status")
	w.Write(message)
	w.Header().Set("Grpc-Status", "0")
}

// isPacked reports whether the message of a call may be compressed by gzip.
func isPacked(h http.Header) (bool, error) {
	switch encoding := h.Get("Grpc-Encoding"); encoding {
	case "", "identity":
		return false, nil
	case "gzip":
		return true, nil
	default:
		return false, newCoded(codes.Unimplemented, serve.UnsupportedMedia, "the compression %.50q is not supported; gzip is", encoding)
	}
}

// timeout returns the timeout of a call; 0 is none.
func timeout(h http.Header) (time.Duration, error) {
	text := h.Get("Grpc-Timeout")
	if text == "" {
		return 0, nil
	}
	units := map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond}
	unit, ok := units[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 32)
	if !ok || err != nil || len(text) > 9 { // eight digits
		return 0, badRequest("grpc-timeout is %.20q; want digits and a unit of H, M, S, m, u or n", text)
	}
	n = min(n, uint64(math.MaxInt64/unit)) // eight digits of hours overflow
	return max(time.Duration(n)*unit, time.Nanosecond), nil
}
