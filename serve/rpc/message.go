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

// frameHeader is the size of the header of a message: whether it is compressed, and
// its length, big-endian.
const frameHeader = 5

// readMessage reads and decompresses the one message of a call. The account holds
// the bytes that have arrived, not the announced length.
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
		return nil, badRequest("the message is compressed, but the call does not declare it")
	case header[0] == 1:
		unpacked, err := gzip.NewReader(frame)
		if err != nil {
			return nil, unpackError(err)
		}
		content = io.LimitReader(unpacked, most+1)
	}
	var message bytes.Buffer
	if _, err := message.ReadFrom(account.Reader(content)); err != nil && header[0] == 1 {
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

// receiveError returns the error of a message that did not arrive. It leaves
// out the text of the network error, which contains addresses.
func receiveError(err error) error {
	switch {
	case errors.As(err, new(*inference.Error)):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &inference.Error{Reason: inference.Timeout, Err: errors.New("the message did not arrive in time")}
	}
	return badRequest("the message is incomplete")
}

func unpackError(err error) error {
	if errors.As(err, new(*inference.Error)) || errors.Is(err, os.ErrDeadlineExceeded) {
		return receiveError(err)
	}
	return badRequest("the message is not valid gzip: %v", err)
}

// unmarshal decodes bytes that the account holds. It refuses a message that
// would take more than growth times the limit of a message in memory.
func (s *Server) unmarshal(raw []byte, message proto.Message, account *serve.Account) error {
	most := growth * int64(s.MaxMessage)
	weight, err := weigh(raw, message.ProtoReflect().Descriptor(), most)
	if errors.Is(err, errHeavy) {
		return newCoded(codes.ResourceExhausted, inference.TooLarge, "the message has too many parts: they take more than %d bytes in memory", most)
	}
	if err == nil {
		if err := account.Hold(weight); err != nil {
			return err
		}
		err = proto.Unmarshal(raw, message)
	}
	if err != nil {
		return badRequest("the message is not a valid %s: %v", message.ProtoReflect().Descriptor().Name(), err)
	}
	account.Free(int64(len(raw)))
	return nil
}
