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

// This file looks behind colinmarc/hdfs's API, whose version is pinned, for what
// it does not give and reading safely takes. Its test fails when a version moves
// that, or the linker does.

// executor is the library's connection to a NameNode.
type executor interface {
	Execute(method string, request, response proto.Message) error
}

func nameNode(lib *hdfs.Client) executor {
	field := reflect.ValueOf(lib).Elem().FieldByName("namenode")
	return reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem().Interface().(executor)
}

// execute makes one call of Hadoop's ClientProtocol that the library has no
// method for. The request's and response's messages are the library's own, by
// name.
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

// get is a field of a message by its name.
func get(m protoreflect.Message, name protoreflect.Name) protoreflect.Value {
	return m.Get(m.Descriptor().Fields().ByName(name))
}

// typed gives a message the type that one of the library's own functions gives:
// its messages' types have no names here.
func typed[T any](_ func(*hdfs.FileStatus) T, m protoreflect.Message) (T, error) {
	t, ok := m.Interface().(T)
	if !ok {
		return t, fmt.Errorf("%w: a %s", errProtocol, m.Descriptor().Name())
	}
	return t, nil
}

// whole mends the library's connections whose data transfer is protected by
// SASL frames: a Read that takes the rest of one frame and the beginning of the
// next forgets to count the former. Nothing else is asked of them here than one
// frame's bytes at a time.
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

// protected makes a dialer of DataNodes one that also agrees with them on the
// protection of the data transfer, by a block's token. It may ask the NameNode
// for what the cluster wants, once for each client.
//
//go:linkname protected github.com/colinmarc/hdfs/v2.(*Client).wrapDatanodeDial
func protected(lib *hdfs.Client, dial dialer, token unsafe.Pointer) (dialer, error)
