package rpc

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	tensorpb "github.com/wamuir/graft/tensorflow/core/framework/tensor_go_proto"
	typespb "github.com/wamuir/graft/tensorflow/core/framework/types_go_proto"

	"tkit/inference"
	"tkit/internal/tensorflow"
	"tkit/serve"
)

// A written tensor of any type can be read again, from the field of its type and
// from tensor_content.
func TestTensorsOfEveryType(t *testing.T) {
	s := &Server{Options: Options{MaxMessage: 1 << 20}}
	account := newAccount(t)
	for dt := range elements {
		size := dt.Size()
		raw := bytes.Repeat([]byte{0, 1}, 3*size)
		if dt != tensorflow.Bool { // whose bytes are 0 or 1
			raw[0], raw[size-1] = 0x80, 0x81
		}
		want := inference.Tensor{Name: "t", Type: dt, Shape: []int64{2, 3}, Data: raw}
		signature := inference.Signature{Inputs: []inference.TensorInfo{{Name: "t", DataType: dt}}}
		fields := tensorProto(want)
		content := &tensorpb.TensorProto{Dtype: fields.Dtype, TensorShape: fields.TensorShape, TensorContent: raw}
		for _, message := range []*tensorpb.TensorProto{fields, content} {
			got, err := s.readTensor("t", message, signature, account)
			if err != nil || got.Type != dt || !slices.Equal(got.Shape, want.Shape) || !bytes.Equal(got.Data, raw) {
				t.Errorf("%s: %v, %v, want %v", dt, got, err, want)
			}
		}
	}
}

func newAccount(t *testing.T) *serve.Account {
	t.Helper()
	account, err := serve.NewMemory(1 << 20).Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(account.Close)
	return account
}

func TestStrings(t *testing.T) {
	s := &Server{Options: Options{MaxMessage: 1 << 20}}
	signature := inference.Signature{Inputs: []inference.TensorInfo{{Name: "t", DataType: tensorflow.String}}}
	message := tensorProto(inference.Tensor{Type: tensorflow.String, Shape: []int64{3}, Strings: [][]byte{[]byte("a"), nil, []byte("\xff")}})
	got, err := s.readTensor("t", message, signature, newAccount(t))
	if err != nil || len(got.Strings) != 3 || string(got.Strings[2]) != "\xff" || got.Check() != nil {
		t.Errorf("%q, %v", got.Strings, err)
	}
	message.StringVal = message.StringVal[:1]
	if got, err = s.readTensor("t", message, signature, newAccount(t)); err != nil || string(bytes.Join(got.Strings, nil)) != "aaa" {
		t.Errorf("one string for all: %q, %v", got.Strings, err)
	}
	message.StringVal = nil
	if _, err = s.readTensor("t", message, signature, newAccount(t)); err == nil || !strings.Contains(err.Error(), "0 values in string_val") {
		t.Errorf("no string: %v", err)
	}
	message.Dtype = typespb.DataType_DT_VARIANT
	signature.Inputs[0].DataType = inference.DataType(message.Dtype)
	if _, err = s.readTensor("t", message, signature, newAccount(t)); err == nil || !strings.Contains(err.Error(), "DT_VARIANT") {
		t.Errorf("a variant: %v", err)
	}
}
