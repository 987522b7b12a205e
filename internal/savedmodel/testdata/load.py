"""Loads SavedModels that the Go test has written, by TensorFlow 2 and 1, and
holds their answers against examples.

Standard input: a JSON list of {"dir": SavedModel, "examples": folder with
{in,out}.NAME.npy, "signature": key, "asset": content or null}."""

import json
import os
import sys
import tempfile

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1


def arrays(folder, prefix):
    return {f[len(prefix) + 1:-4]: np.load(os.path.join(folder, f)) for f in sorted(os.listdir(folder)) if f.startswith(prefix + ".")}


def check(case, how, answers):
    for name, want in arrays(case["examples"], "out").items():
        got = np.asarray(answers[name]).astype(np.float32)
        worst, largest = np.max(np.abs(got - want), initial=0), np.max(np.abs(want), initial=1e-3)
        assert got.shape == want.shape and worst <= 1e-5 * largest, f"{case['dir']} by {how}: {name} differs by {worst} of {largest}"


for case in json.load(sys.stdin):
    inputs = arrays(case["examples"], "in")

    loaded = tf.saved_model.load(case["dir"])
    f = loaded.signatures[case["signature"]]
    specs = f.structured_input_signature[1]
    check(case, "TensorFlow 2", f(**{k: tf.constant(v, dtype=specs[k].dtype) for k, v in inputs.items()}))
    trainable = {v.name.split(":")[0] for v in loaded.trainable_variables} if hasattr(loaded, "trainable_variables") else None

    with tf.Graph().as_default(), v1.Session() as s:
        meta = v1.saved_model.loader.load(s, ["serve"], case["dir"])
        definition = meta.signature_def[case["signature"]]
        assert definition.method_name == "tensorflow/serving/predict"
        outputs = {k: o.name for k, o in definition.outputs.items()}
        feeds = {definition.inputs[k].name: v for k, v in inputs.items()}
        check(case, "TensorFlow 1", s.run(outputs, feeds))
        if trainable is not None and v1.global_variables():
            assert trainable == {v.op.name for v in v1.trainable_variables()}

        # Saved again, initialised away, and restored, it answers as before.
        if v1.global_variables():
            saver = v1.train.Saver(saver_def=meta.saver_def)
            prefix = saver.save(s, os.path.join(tempfile.mkdtemp(dir=os.path.dirname(case["dir"])), "again"))
            s.run(v1.global_variables_initializer())
            assert not any(np.any(v) for v in s.run(v1.global_variables()))
            saver.restore(s, prefix)
            check(case, "TensorFlow 1 after saving", s.run(outputs, feeds))

    if case["asset"] is not None:
        with open(os.path.join(case["dir"], "assets", "labels.txt")) as asset:
            assert asset.read() == case["asset"]
    fingerprint = tf.saved_model.experimental.read_fingerprint(case["dir"])
    assert fingerprint.saved_model_checksum and fingerprint.graph_def_program_hash
