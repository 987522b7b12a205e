package hdfs

import (
	"fmt"
	"reflect"
	"unsafe"

	"github.com/colinmarc/hdfs/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// This file looks behind colinmarc/hdfs's API, whose version is pinned, for two
// things that it does not give and that reading safely takes. Its test fails
// when a version moves them.

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

// replicaFailed says whether the Read just made ended one DataNode's part with
// an error. The library hides it when bytes came with it, among them those of a
// chunk whose checksum was wrong.
func replicaFailed(f *hdfs.FileReader) bool {
	block := reflect.ValueOf(f).Elem().FieldByName("blockReader")
	if block.IsNil() {
		return false
	}
	dataNodes := block.Elem().FieldByName("datanodes")
	return !dataNodes.IsNil() && !dataNodes.Elem().FieldByName("err").IsNil()
}
