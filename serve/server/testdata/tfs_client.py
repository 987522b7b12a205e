"""Drives a server of a folder with TensorFlow Serving's own Python client.

Arguments: the server's gRPC address, the model's name, the folder that it serves,
which has the model "types" of models.py as version 1, and the folder of the model
"text", which becomes version 2."""

import json
import os
import shutil
import sys
import time

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import wrappers_pb2
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (get_model_metadata_pb2, get_model_status_pb2, model_service_pb2_grpc, predict_pb2,
                                     prediction_service_pb2_grpc)

address, model, served, text = sys.argv[1:]
channel = grpc.insecure_channel(address)
prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
models = model_service_pb2_grpc.ModelServiceStub(channel)
AVAILABLE = get_model_status_pb2.ModelVersionStatus.AVAILABLE


def predict(inputs, signature="", outputs=(), version=None):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    if version:
        request.model_spec.version.CopyFrom(wrappers_pb2.Int64Value(value=version))
    request.output_filter.extend(outputs)
    for name, value in inputs.items():
        proto = value if isinstance(value, tensor_pb2.TensorProto) else tf.make_tensor_proto(value)
        request.inputs[name].CopyFrom(proto)
    return prediction.Predict(request, 60)


def arrays(response):
    return {name: tf.make_ndarray(t) for name, t in response.outputs.items()}


def refused(code, text, *args, **options):
    try:
        predict(*args, **options)
    except grpc.RpcError as e:
        assert e.code() == code and text in e.details(), (e.code(), e.details())
    else:
        raise AssertionError("not refused: %r" % (args,))


def equal(got, want):
    want = np.asarray(want)
    assert got.shape == want.shape and got.dtype == want.dtype, (got, want)
    np.testing.assert_array_equal(got, want)


def status():
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = model
    return {v.version: v.state for v in models.GetModelStatus(request, 60).model_version_status}


def signatures():
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = model
    request.metadata_field.append("signature_def")
    response = prediction.GetModelMetadata(request, 60)
    found = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(found)
    return response.model_spec.version.value, found.signature_def


def first_version():
    assert status() == {1: AVAILABLE}, status()
    version, found = signatures()
    assert version == 1 and set(found) == {"serving_default", "echo"}, found
    several = found["serving_default"]
    assert several.method_name == "tensorflow/serving/predict"
    assert several.inputs["mask"].dtype == types_pb2.DT_BOOL and several.outputs["sums"].dtype == types_pb2.DT_INT64
    assert [d.size for d in several.inputs["numbers"].tensor_shape.dim] == [2, -1]

    inputs = {"numbers": np.array([[1, 2, 3], [4, 5, 2**53 + 1]]), "mask": np.array([True, False, True]), "scale": np.int64(-2)}
    response = predict(inputs)
    assert response.model_spec.signature_name == "serving_default" and response.model_spec.version.value == 1
    out = arrays(response)
    equal(out["sums"], np.array([-8, -2 * (2**53 + 5)]))
    equal(out["any"], np.array(True))
    equal(out["flipped"], np.array([False, True, False]))
    assert set(predict(inputs, outputs=["any"], version=1).outputs) == {"any"}

    # Typed fields, of which the last value stands for those that are left out.
    numbers = tensor_pb2.TensorProto(dtype=types_pb2.DT_INT64, int64_val=[5])
    for size in (2, 3):
        numbers.tensor_shape.dim.add(size=size)
    equal(arrays(predict({**inputs, "numbers": numbers}))["sums"], np.array([-20, -20]))

    kinds = ["float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64",
             "uint8", "uint16", "uint32", "uint64", "complex64", "complex128", "bool", "string"]
    values = {k: np.array([[1, 0], [0, 1]]).astype(tf.as_dtype(k).as_numpy_dtype) for k in kinds if k != "string"}
    values["string"] = np.array([[b"a", b""], [b"\xff\x00", "é".encode()]], dtype=object)
    out = arrays(predict(values, "echo"))
    for k in kinds:
        equal(out["out_" + k], values[k][:, ::-1])

    bad = grpc.StatusCode.INVALID_ARGUMENT
    refused(bad, "signature", inputs, signature="nothing")
    refused(bad, "shape", {**inputs, "numbers": np.array([1, 2])})
    refused(bad, "shape", {**inputs, "numbers": np.zeros((3, 3), np.int64)})
    refused(bad, "DT_INT64", {**inputs, "numbers": np.zeros((2, 3), np.float32)})
    refused(bad, "missing", {"mask": inputs["mask"], "scale": inputs["scale"]})
    refused(bad, "more", {**inputs, "more": inputs["mask"]})
    refused(bad, "output", inputs, outputs=["nothing"])
    refused(bad, "", {**inputs, "mask": np.array([True] * 7)})  # the kernel's own
    refused(grpc.StatusCode.NOT_FOUND, "", inputs, version=7)
    equal(arrays(predict(inputs))["any"], np.array(True))  # nothing of that has harmed it


def second_version():
    with open(os.path.join(text, "examples.json")) as f:
        examples = json.load(f)
    # A copy that lacks its main file, and files that say nothing of versions.
    shutil.copytree(text, os.path.join(served, "2"), ignore=shutil.ignore_patterns("saved_model.pb"))
    os.makedirs(os.path.join(served, "latest"))
    assert status() == {1: AVAILABLE}, status()
    shutil.copy(os.path.join(text, "saved_model.pb"), os.path.join(served, "2"))
    while status() != {2: AVAILABLE}:
        time.sleep(0.1)
    version, found = signatures()
    assert version == 2 and set(found) == {"serving_default", "shout"}
    texts = np.array(["the cat sat", "A Dog on the mat", "", "unknown words só é"])
    out = arrays(predict({"text": texts}))
    assert out["label"].dtype == object and out["tokens"].dtype == np.int64
    assert list(out["tokens"].shape) == examples["serving_default"]["outputs"]["tokens"]["shape"]
    equal(out["tokens"][0], np.array([0, 1, 2, -1, -1]))
    equal(arrays(predict({"one": "quiet"}, "shout"))["loud"], np.array(b"QUIET", dtype=object))

    shutil.rmtree(os.path.join(served, "2"))
    while status() != {1: AVAILABLE}:
        time.sleep(0.1)


first_version()
second_version()
print("ok")
