package hdfs

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"reflect"
	"unsafe"

	"github.com/colinmarc/hdfs/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// This file reaches into internals of colinmarc/hdfs, whose version is pinned,
// for what its API lacks and safe reading needs. Its test fails if a new
// version, or the linker, moves them.

// executor is the library's connection to a NameNode.
type executor interface {
	Execute(method string, request, response proto.Message) error
}

func nameNode(lib *hdfs.Client) executor {
	field := reflect.ValueOf(lib).Elem().FieldByName("namenode")
	return reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Interface().(executor)
}

// execute makes a call of Hadoop's ClientProtocol for which the library has no
// method. The request and response messages are the library's, by name.
func execute(lib *hdfs.Client, method string, request map[string]any) (protoreflect.Message, error) {
	upper := string(method[0]-'a'+'A') + method[1:]
	in, err := message(upper + "RequestProto")
	if err != nil {
		return nil, err
	}
	out, err := message(upper + "ResponseProto")
	if err != nil {
		return nil, err
	}
	fields := in.Descriptor().Fields()
	for name, value := range request {
		in.Set(fields.ByName(protoreflect.Name(name)), protoreflect.ValueOf(value))
	}
	return out, nameNode(lib).Execute(method, in.Interface(), out.Interface())
}

func message(name string) (protoreflect.Message, error) {
	t, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName("hadoop.hdfs." + name))
	if err != nil {
		return nil, fmt.Errorf("hdfs: %s: %w", name, err)
	}
	return t.New(), nil
}

// get returns a field of a message by name.
func get(m protoreflect.Message, name protoreflect.Name) protoreflect.Value {
	return m.Get(m.Descriptor().Fields().ByName(name))
}

// typed converts a message to the type returned by one of the library's
// functions: its message types cannot be named here.
func typed[T any](_ func(*hdfs.FileStatus) T, m protoreflect.Message) (T, error) {
	t, ok := m.Interface().(T)
	if !ok {
		return t, fmt.Errorf("%w: a %s", errProtocol, m.Descriptor().Name())
	}
	return t, nil
}

// whole works around a bug in the library's connections that are protected by
// SASL frames: a Read that spans the end of one frame and the beginning of the
// next does not count the former. whole never reads across a frame's end.
func whole(conn net.Conn) net.Conn {
	if v := reflect.ValueOf(conn).Elem(); v.Kind() == reflect.Struct {
		if f := v.FieldByName("readBuf"); f.IsValid() && f.Type() == reflect.TypeFor[bytes.Buffer]() {
			return frames{conn, (*bytes.Buffer)(unsafe.Pointer(f.UnsafeAddr()))}
		}
	}
	return conn
}

type frames struct {
	net.Conn
	unread *bytes.Buffer // of the frame
}

func (f frames) Read(b []byte) (int, error) {
	if n := f.unread.Len(); n > 0 {
		b = b[:min(n, len(b))]
	}
	return f.Conn.Read(b)
}

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// protected wraps a dialer of DataNodes so that it also negotiates the
// protection of the data transfer with a block's token. It may ask the NameNode
// for the cluster's settings, once for each client.
//
//go:linkname protected github.com/colinmarc/hdfs/v2.(*Client).wrapDatanodeDial
func protected(lib *hdfs.Client, dial dialer, token unsafe.Pointer) (dialer, error)
