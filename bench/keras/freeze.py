"""TensorFlow's side of the comparison: freezes a SavedModel's serving signature
to constants, and times loading the SavedModel.

    python freeze.py SAVED_MODEL FROZEN_GRAPH

Prints a line of JSON: the frozen graph's input and output tensor, and the time
in seconds of a second load in the same process by each of TensorFlow's loaders.
"""

import json
import sys
import time

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2


def load_v1(path):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.load(session, ["serve"], path)


def second(load, path):
    load(path)
    start = time.perf_counter()
    load(path)
    return time.perf_counter() - start


def main(path, frozen_path):
    seconds = {"v1": second(load_v1, path), "v2": second(tf.saved_model.load, path)}
    model = tf.saved_model.load(path)
    frozen = convert_variables_to_constants_v2(model.signatures["serving_default"])
    with open(frozen_path, "wb") as f:
        f.write(frozen.graph.as_graph_def().SerializeToString())
    print(json.dumps({"input": frozen.inputs[0].name, "output": frozen.outputs[0].name, "load": seconds}))


main(*sys.argv[1:])
