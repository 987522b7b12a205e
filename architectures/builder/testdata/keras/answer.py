"""Answers the cases that the Go test asks about, one per line of standard input.

A line is the JSON of {"folder", "network", "input", "classes", "training"}. The
folder holds weights.json, weights.bin and images.bin; the answer is written
there as answers.bin: the logits and, in training, the logits of the auxiliary
heads and the running statistics after one step. A line "ok" follows on
standard output.
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

import inception
import mobile
import plain
import residual
from weights import Weights

NETWORKS = plain.NETWORKS | inception.NETWORKS | mobile.NETWORKS | residual.NETWORKS


def statistics(model, units, batch):
    """Running statistics after one step, by name. Keras follows the biased variance; TensorFlow's fused kernel, which
    the Go side uses, the unbiased one."""
    before = {name: [np.array(layer.moving_mean), np.array(layer.moving_variance)] for name, layer in units.norms}
    outputs = model(batch, training=True)
    after = {}
    for name, layer in units.norms:
        n = np.prod([len(batch), *layer.input.shape[1:-1]])
        old, keep = before[name][1], layer.momentum
        biased = (np.array(layer.moving_variance) - keep * old) / (1 - keep)
        after[f"{name}/moving_mean"] = np.array(layer.moving_mean)
        after[f"{name}/moving_variance"] = keep * old + (1 - keep) * biased * n / (n - 1)
    return outputs, [after[name] for name in sorted(after)]


def answer(case):
    folder = pathlib.Path(case["folder"])
    weights = Weights(folder)
    shape = tuple(case["input"])
    x, outputs, units = NETWORKS[case["network"]](weights, shape, case["classes"])
    if not case["training"]:
        outputs = outputs[:1]
    if weights.left():
        raise ValueError(f"{case['network']}: weights that the network has no place for: {weights.left()}")
    model = keras.Model(x, outputs)
    batch = np.fromfile(folder / "images.bin", "<f4").reshape(-1, *shape)
    if case["training"]:
        outputs, running = statistics(model, units, batch)
    else:
        outputs, running = model(batch, training=False), []
    arrays = [np.array(o) for o in keras.tree.flatten(outputs)] + running
    np.concatenate([a.ravel() for a in arrays]).astype("<f4").tofile(folder / "answers.bin")


for line in sys.stdin:
    answer(json.loads(line))
    keras.backend.clear_session()
    print("ok", flush=True)
