"""Loads exports of tkit by all that TensorFlow's models are taken to, and holds
the answers against tkit's own.

Standard input: a JSON list of {"dir": SavedModel, "images": .npy file, "input":
the name of the input, "outputs": {name: .npy file}}."""

import contextlib
import io
import json
import os
import sys
import tempfile

import keras
import numpy as np
import onnxruntime
import openvino
import tensorflow as tf
import tf2onnx.convert
from tensorflow.python.tools import saved_model_cli

SIGNATURE = "serving_default"
COMMAND = ["saved_model_cli", "show", "--all", "--dir"]


def command(main, *args):
    """Runs the main function of a command and returns what it printed."""
    printed, before = io.StringIO(), sys.argv
    sys.argv = list(args)
    try:
        with contextlib.redirect_stdout(printed):
            main()
    except SystemExit as end:
        assert not end.code, f"exit status {end.code}"
    finally:
        sys.argv = before
    return printed.getvalue()


def tensorflow(case, x):
    f = tf.saved_model.load(case["dir"]).signatures[SIGNATURE]
    return {k: v.numpy() for k, v in f(**{case["input"]: tf.constant(x)}).items()}


def keras_layer(case, x):
    image = keras.Input(x.shape[1:])
    model = keras.Model(image, keras.layers.TFSMLayer(case["dir"], call_endpoint=SIGNATURE)(image))
    return {k: v.numpy() for k, v in model(x).items()}


def tflite(case, x, *optimizations):
    converter = tf.lite.TFLiteConverter.from_saved_model(case["dir"], signature_keys=[SIGNATURE])
    converter.optimizations = list(optimizations)
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    return interpreter.get_signature_runner(SIGNATURE)(**{case["input"]: x})


def tflite_8_bit(case, x):
    return tflite(case, x, tf.lite.Optimize.DEFAULT)


def onnx(case, x):
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "model.onnx")
        command(tf2onnx.convert.main, "tf2onnx", "--saved-model", case["dir"], "--signature_def", SIGNATURE, "--output", file)
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = list(case["outputs"])
    return dict(zip(names, session.run(names, {case["input"]: x})))


def in_openvino(case, x, model):
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answer = compiled({case["input"]: x})
    return {name: answer[name] for name in case["outputs"]}


def openvino_read(case, x):
    return in_openvino(case, x, openvino.Core().read_model(case["dir"]))


def openvino_converted(case, x):
    return in_openvino(case, x, openvino.convert_model(case["dir"]))


# How far an answer may be off, as a part of the largest value. Weights of 8 bits
# round to some hundredths.
LOADERS = {tensorflow: 1e-5, keras_layer: 1e-5, tflite: 1e-4, tflite_8_bit: 0.1, onnx: 1e-4, openvino_read: 1e-3, openvino_converted: 1e-3}

failures = []
for case in json.load(sys.stdin):
    images = np.load(case["images"])
    wanted = {name: np.load(file) for name, file in case["outputs"].items()}
    shown = command(saved_model_cli.main, *COMMAND, case["dir"])
    if f"signature_def['{SIGNATURE}']" not in shown:
        failures.append(f"{case['dir']}: saved_model_cli shows {shown}")
    for load, tolerance in LOADERS.items():
        try:
            got = load(case, images)
            assert set(got) == set(wanted), f"the outputs {set(got)}, want {set(wanted)}"
            for name, want in wanted.items():
                worst, largest = np.max(np.abs(got[name] - want)), np.max(np.abs(want))
                assert got[name].shape == want.shape, f"{name} of shape {got[name].shape}, want {want.shape}"
                assert worst <= tolerance * largest, f"{name} differs by {worst} of {largest}"
        except Exception as e:
            failures.append(f"{case['dir']} by {load.__name__}: {e}")
sys.exit("\n".join(failures) or None)
