"""A client of TensorFlow Serving's gRPC API that shares nothing with the server.

It declares, by field number, the part of TensorFlow Serving's messages that it
uses, sends one image of zeros to a model and prints what comes back as JSON.
Arguments: the server's address, the model's name.
"""

import json
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf import wrappers_pb2  # noqa: F401, registers Int64Value
from tensorflow.core.framework import tensor_pb2, types_pb2

Field = descriptor_pb2.FieldDescriptorProto


def message(file, name, *fields):
    m = file.message_type.add(name=name)
    for field in fields:
        m.field.add(**field)
    return m


def one(name, number, type_, type_name=None):
    return dict(name=name, number=number, type=type_, type_name=type_name, label=Field.LABEL_OPTIONAL)


def tensors(parent, name, number):
    """Adds a map<string, TensorProto> field."""
    entry = parent.nested_type.add(name=name.capitalize() + "Entry")
    entry.options.map_entry = True
    entry.field.add(**one("key", 1, Field.TYPE_STRING))
    entry.field.add(**one("value", 2, Field.TYPE_MESSAGE, ".tensorflow.TensorProto"))
    parent.field.add(name=name, number=number, type=Field.TYPE_MESSAGE, label=Field.LABEL_REPEATED,
                     type_name=".tensorflow.serving.%s.%s" % (parent.name, entry.name))


def messages():
    file = descriptor_pb2.FileDescriptorProto(name="client.proto", package="tensorflow.serving", syntax="proto3")
    file.dependency.extend(["tensorflow/core/framework/tensor.proto", "google/protobuf/wrappers.proto"])
    message(file, "ModelSpec",
            one("name", 1, Field.TYPE_STRING),
            one("version", 2, Field.TYPE_MESSAGE, ".google.protobuf.Int64Value"),
            one("signature_name", 3, Field.TYPE_STRING),
            one("version_label", 4, Field.TYPE_STRING))
    spec = one("model_spec", 1, Field.TYPE_MESSAGE, ".tensorflow.serving.ModelSpec")
    tensors(message(file, "PredictRequest", spec), "inputs", 2)
    spec = one("model_spec", 2, Field.TYPE_MESSAGE, ".tensorflow.serving.ModelSpec")
    tensors(message(file, "PredictResponse", spec), "outputs", 1)
    pool = descriptor_pool.Default()
    pool.Add(file)
    return [message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.serving." + n))
            for n in ("PredictRequest", "PredictResponse")]


def main(address, model):
    request_class, response_class = messages()
    request = request_class()
    request.model_spec.name = model
    request.model_spec.version_label = "production"
    image = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[0.0])
    for size in (1, 32, 32, 1):
        image.tensor_shape.dim.add(size=size)
    request.inputs["images"].CopyFrom(image)
    with grpc.insecure_channel(address) as channel:
        predict = channel.unary_unary("/tensorflow.serving.PredictionService/Predict",
                                      request_serializer=request_class.SerializeToString,
                                      response_deserializer=response_class.FromString)
        answer = predict(request, timeout=30)
    print(json.dumps({
        "model": answer.model_spec.name,
        "version": answer.model_spec.version.value,
        "outputs": {name: list(t.float_val) for name, t in answer.outputs.items()},
    }))


if __name__ == "__main__":
    main(*sys.argv[1:])
