package rpc

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"tkit/inference"
	"tkit/serve"
)

// frameHeader is the length of what precedes a message: whether it is packed,
// and how long it is, big-endian.
const frameHeader = 5

// readMessage reads the one message of a call, unpacked. The account holds what
// has come of it, not the length that it announces.
func readMessage(from io.Reader, packed bool, most int64, account *serve.Account) ([]byte, error) {
	var header [frameHeader]byte
	if _, err := io.ReadFull(from, header[:]); err != nil {
		return nil, receiveError(err)
	}
	length := int64(binary.BigEndian.Uint32(header[1:]))
	frame := &io.LimitedReader{R: from, N: length}
	var content io.Reader = frame
	switch {
	case length > most:
		return nil, tooLarge(most)
	case header[0] > 1 || header[0] == 1 && !packed:
		return nil, badRequest("the message is packed, in a way that the call does not announce")
	case header[0] == 1:
		unpacked, err := gzip.NewReader(frame)
		if err != nil {
			return nil, unpackError(err)
		}
		content = io.LimitReader(unpacked, most+1)
	}
	var message bytes.Buffer
	if _, err := message.ReadFrom(&held{content, account}); err != nil && header[0] == 1 {
		return nil, unpackError(err)
	} else if err != nil {
		return nil, receiveError(err)
	}
	switch {
	case int64(message.Len()) > most:
		return nil, tooLarge(most)
	case frame.N > 0:
		return nil, receiveError(io.ErrUnexpectedEOF)
	}
	switch _, err := io.ReadFull(from, header[:1]); err {
	case io.EOF:
		return message.Bytes(), nil
	case nil:
		return nil, badRequest("the call has more than one message")
	default:
		return nil, receiveError(err)
	}
}

func tooLarge(most int64) error {
	return newCoded(codes.ResourceExhausted, inference.TooLarge, "the message is larger than %d bytes", most)
}

// receiveError is the error of a message that did not come. What the network says
// names addresses, and helps nobody.
func receiveError(err error) error {
	switch {
	case errors.As(err, new(*inference.Error)):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &inference.Error{Reason: inference.Timeout, Err: errors.New("the message did not come in time")}
	}
	return badRequest("the message is cut short")
}

func unpackError(err error) error {
	if errors.As(err, new(*inference.Error)) || errors.Is(err, os.ErrDeadlineExceeded) {
		return receiveError(err)
	}
	return badRequest("the message is not what its encoding gzip says: %v", err)
}

// held counts what is read.
type held struct {
	io.Reader
	account *serve.Account
}

func (h *held) Read(p []byte) (int, error) {
	n, err := h.Reader.Read(p)
	if full := h.account.Hold(int64(n)); full != nil {
		return 0, full
	}
	return n, err
}

// unmarshal fills a message with bytes that the account holds, if what becomes of
// them is no larger than growth times the largest message.
func (s *Server) unmarshal(raw []byte, message proto.Message, account *serve.Account) error {
	most := growth * int64(s.MaxMessage)
	weight, err := weigh(raw, message.ProtoReflect().Descriptor(), most)
	if errors.Is(err, errHeavy) {
		return newCoded(codes.ResourceExhausted, inference.TooLarge, "the message has too many parts: in memory they take more than %d bytes", most)
	}
	if err == nil {
		if err := account.Hold(weight); err != nil {
			return err
		}
		err = proto.Unmarshal(raw, message)
	}
	if err != nil {
		return badRequest("the message is no %s: %v", message.ProtoReflect().Descriptor().Name(), err)
	}
	account.Free(int64(len(raw)))
	return nil
}
