"""Writes SavedModels that are no image classifiers, each into a folder of its own
below the one named by --output.

Beside each signature that can be served lie inputs and what Python's TensorFlow
answers to them, as JSON: examples.json."""

import base64
import json
import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
out = sys.argv[sys.argv.index("--output") + 1]
os.makedirs(out)
rng = np.random.default_rng(7)
models = []


def model(write):
    """Registers a function that writes a model into the folder it is given and
    returns {signature: {input: array}} for the signatures to be answered."""
    models.append(write)
    return write


def draw(*shape):
    return rng.normal(size=shape).astype(np.float32)


def spec(*shape, dtype=tf.float32, name="x"):
    return tf.TensorSpec(shape, dtype, name)


texts = np.array(["the cat sat", "A Dog on the mat", "", "unknown words só é"])


@model
def text(to):
    """A vocabulary in a file, another in constants, text in and out."""
    vocabulary = to + ".txt"
    with open(vocabulary, "w") as f:
        f.write("the\r\ncat\nsat\ndog\nmat\non")

    class M(tf.Module):
        def __init__(self):
            self.words = tf.lookup.StaticVocabularyTable(
                tf.lookup.TextFileInitializer(vocabulary, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
                                              tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER), 3)
            self.labels = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(tf.constant([0, 1, 2], tf.int64), tf.constant(["animal", "thing", "é"])), "none")
            self.table = tf.Variable(draw(9, 4))
            self.kernel = tf.Variable(draw(4, 3))

        @tf.function(input_signature=[spec(None, dtype=tf.string, name="text")])
        def classify(self, text):
            ids = self.words.lookup(tf.strings.split(tf.strings.lower(text))).to_tensor(-1)
            seen = tf.cast(ids >= 0, tf.float32)[..., tf.newaxis]
            mean = tf.reduce_sum(tf.gather(self.table, tf.maximum(ids, 0)) * seen, 1) / tf.maximum(tf.reduce_sum(seen, 1), 1)
            scores = tf.nn.softmax(mean @ self.kernel)
            return {"tokens": ids, "scores": scores, "label": self.labels.lookup(tf.argmax(scores, 1)),
                    "length": tf.strings.length(text)}

        @tf.function(input_signature=[spec(dtype=tf.string, name="one")])
        def shout(self, one):
            return {"loud": tf.strings.upper(one), "same": one}

    m = M()
    tf.saved_model.save(m, to, signatures={"serving_default": m.classify, "shout": m.shout})
    os.remove(vocabulary)
    return {"serving_default": {"text": texts}, "shout": {"one": np.array("quiet")}}


@model
def keras_text(to):
    vectorize = keras.layers.TextVectorization(output_mode="int", output_sequence_length=6, vocabulary=["cat", "dog", "mat"])
    m = keras.Sequential([keras.Input((1,), dtype="string"), vectorize, keras.layers.Embedding(5, 4),
                          keras.layers.LSTM(3), keras.layers.Dense(2, activation="softmax")])
    m(tf.constant([["warm"]]))
    m.export(to, verbose=False)
    return {"serving_default": {signature_input(to): texts[:, np.newaxis]}}


def signature_input(to):
    s = tf.saved_model.load(to).signatures["serving_default"]
    return next(iter(s.structured_input_signature[1]))


@model
def types(to):
    """Every dense type, in and out."""
    kinds = ["float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64",
             "uint8", "uint16", "uint32", "uint64", "complex64", "complex128", "bool", "string"]

    class M(tf.Module):
        @tf.function(input_signature=[{k: spec(None, 2, dtype=tf.as_dtype(k), name=k) for k in kinds}])
        def echo(self, x):
            return {"out_" + k: tf.reverse(x[k], [1]) for k in kinds}

        @tf.function(input_signature=[spec(2, None, dtype=tf.int64, name="numbers"), spec(None, dtype=tf.bool, name="mask"), spec(dtype=tf.int64, name="scale")])
        def several(self, numbers, mask, scale):
            return {"sums": tf.reduce_sum(tf.where(mask, numbers, 0), 1) * scale, "any": tf.reduce_any(mask), "flipped": ~mask}

    m = M()
    tf.saved_model.save(m, to, signatures={
        "echo": m.echo.get_concrete_function(), "serving_default": m.several})
    values = {k: np.arange(4).reshape(2, 2).astype(tf.as_dtype(k).as_numpy_dtype) for k in kinds if k not in ("bool", "string")}
    values["int64"] += 2**62
    values["float32"][0] = [np.nan, -np.inf]
    values["bool"] = np.array([[True, False], [False, False]])
    values["string"] = np.array([[b"a", b""], [b"\xff\x00", "é".encode()]])
    return {"echo": values,
            "serving_default": {"numbers": np.array([[1, 2, 3], [4, 5, 2**53 + 1]]), "mask": np.array([True, False, True]), "scale": np.array(-2)}}


@model
def flow(to):
    """Loops and conditionals that depend on the input, with variables in them, and
    assertions."""

    class M(tf.Module):
        def __init__(self):
            self.w = tf.Variable(draw(3))
            self.calls = tf.Variable(0)

        @tf.function(input_signature=[spec(None, 3)])
        def loop(self, x):
            self.calls.assign_add(1)
            tf.debugging.assert_less(x, 100.0, "x must be below 100")
            y = tf.map_fn(lambda row: row * self.w if tf.reduce_sum(row) > 0 else row - self.w, x)
            while tf.reduce_max(y) < 10.0:
                y = y * 2.0 + 1.0
            return {"y": y}

        @tf.function(input_signature=[spec(None, 3)])
        def counts(self, x):
            return {"y": x + tf.cast(self.calls.assign_add(1), tf.float32)}

        @tf.function(input_signature=[spec(None, 3)])
        def python(self, x):
            return {"y": tf.numpy_function(lambda v: v, [x], tf.float32)}

        @tf.function(input_signature=[spec(dtype=tf.string, name="path")])
        def file(self, path):
            return {"content": tf.io.read_file(path)}

        @tf.function(input_signature=[spec(None, None, dtype=tf.string, name="path")])
        def hidden(self, path):
            return {"content": tf.map_fn(lambda p: tf.io.read_file(p[0]), path)}

        @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, "x")])
        def anyrank(self, x):
            return {"y": tf.nn.relu(x) * 2.0}

        @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, "x")])
        def convolve(self, x):
            return {"y": tf.raw_ops.Conv2D(input=x, filter=2.0 * tf.ones([1, 1, 1, 1]), strides=[1, 1, 1, 1], padding="SAME")}

    m = M()
    tf.saved_model.save(m, to, signatures={
        "serving_default": m.loop, "counts": m.counts, "python": m.python, "file": m.file, "hidden": m.hidden, "anyrank": m.anyrank,
        "convolve": m.convolve})
    return {"serving_default": {"x": draw(5, 3)}, "anyrank": {"x": draw(2, 1, 2, 1)}}


@model
def images(to):
    """Encoded images in, as TensorFlow Serving's clients send them."""

    class M(tf.Module):
        @tf.function(input_signature=[spec(None, dtype=tf.string, name="image_bytes")])
        def means(self, image_bytes):
            decode = lambda b: tf.cast(tf.image.decode_jpeg(b, 3, dct_method="INTEGER_ACCURATE"), tf.float32)
            return {"means": tf.map_fn(lambda b: tf.reduce_mean(decode(b), [0, 1]), image_bytes, fn_output_signature=tf.float32)}

    m = M()
    tf.saved_model.save(m, to, signatures=m.means)
    jpegs = [tf.io.encode_jpeg(rng.integers(0, 255, (8, 6 + i, 3)).astype(np.uint8)).numpy() for i in range(2)]
    return {"serving_default": {"image_bytes": np.array(jpegs, dtype=object)}}


def tf1(to, use_resource):
    graph = tf.Graph()
    with graph.as_default(), v1.Session() as s:
        x = v1.placeholder(tf.float32, [None, 4], "x")
        words = v1.placeholder(tf.string, [None], "words")
        scale = v1.placeholder_with_default(1.0, [], "scale")
        w = v1.get_variable("w", initializer=draw(4, 3), use_resource=use_resource)
        table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.range(5.0, 7.0)), -1.0)
        y = tf.nn.softmax(x @ w * scale)
        found = table.lookup(words)
        s.run([v1.global_variables_initializer(), v1.tables_initializer()])
        v1.saved_model.simple_save(s, to, {"x": x, "scale": scale, "words": words}, {"y": y, "found": found},
                                   legacy_init_op=v1.tables_initializer())
    return {"serving_default": {"x": draw(2, 4), "scale": np.float32(2), "words": np.array(["b", "c", "a"])}}


@model
def tf1_reference(to):
    return tf1(to, False)


@model
def tf1_resource(to):
    return tf1(to, True)


def encoded(array):
    array = np.asarray(array)
    kind = array.dtype.name
    if array.dtype.kind in "OSU":
        kind = "string"
        values = [base64.b64encode(v if isinstance(v, bytes) else str(v).encode()).decode() for v in array.reshape(-1)]
    else:
        values = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {"dtype": kind, "shape": list(array.shape), "values": values}


for write in models:
    to = os.path.join(out, write.__name__)
    examples = write(to)
    loaded = tf.saved_model.load(to)
    answers = {}
    for signature, inputs in examples.items():
        f = loaded.signatures[signature]
        args = {k: tf.constant(v) for k, v in inputs.items()}
        answers[signature] = {
            "inputs": {k: encoded(v.numpy()) for k, v in args.items()},
            "outputs": {k: encoded(v.numpy()) for k, v in f(**args).items()},
        }
    with open(os.path.join(to, "examples.json"), "w") as f:
        json.dump(answers, f)
