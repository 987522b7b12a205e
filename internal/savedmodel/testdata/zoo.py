"""Writes SavedModels of all sorts, as TensorFlow 1, TensorFlow 2 and Keras save
them, each into a folder of its own below the one named by --output.

Beside each signature that can be read lie inputs and what Python's TensorFlow
answers to them: assets.extra/SIGNATURE/{in,out}.NAME.npy, all as float32."""

import os
import sys

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
out = sys.argv[sys.argv.index("--output") + 1]
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


def save(module, to, **signatures):
    tf.saved_model.save(module, to, signatures=signatures)


# TensorFlow 2


@model
def signatures(to):
    """Two signatures on nested functions; variables of one name; a variable that
    neither captures; a side effect that no answer depends on."""

    class M(tf.Module):
        def __init__(self):
            self.a = tf.Variable(draw(4, 3), name="w")
            self.b = tf.Variable(draw(3, 2), name="w")
            self.unused = tf.Variable(draw(100), name="unused")
            self.bias = tf.Variable(draw(2), name="bias", trainable=False)
            self.calls = tf.Variable(0, name="calls", trainable=False)

        @tf.function
        def hidden(self, x):
            return tf.nn.relu(x @ self.a)

        @tf.function
        def twice(self, x):
            return self.hidden(x) + self.hidden(2 * x)

        @tf.function(input_signature=[spec(None, 4)])
        def classify(self, x):
            self.calls.assign_add(1)
            tf.debugging.assert_all_finite(x, "finite")
            y = self.twice(x) @ self.b + self.bias
            return {"logits": y, "probabilities": tf.nn.softmax(y)}

        @tf.function(input_signature=[spec(None, 4, name="rows")])
        def features(self, rows):
            return {"features": self.twice(rows)}

    m = M()
    save(m, to, serving_default=m.classify, features=m.features)
    x = draw(5, 4)
    return {"serving_default": {"x": x}, "features": {"rows": x}}


@model
def conditions(to):
    """Conditionals whose condition was settled at saving."""

    class M(tf.Module):
        def __init__(self):
            self.w = tf.Variable(draw(3), name="w")

        @tf.function
        def layer(self, x, training):
            dropped = tf.cond(tf.logical_and(training, tf.constant(True)), lambda: tf.nn.dropout(x, 0.5) * 100, lambda: x * self.w)
            return tf.switch_case(tf.constant(5), [lambda: dropped, lambda: dropped + 1, lambda: dropped - self.w])

        @tf.function(input_signature=[spec(None, 3)])
        def call(self, x):
            return {"y": self.layer(x, tf.constant(False))}

    m = M()
    save(m, to, serving_default=m.call)
    return {"serving_default": {"x": draw(4, 3)}}


@model
def lists(to):
    """Operations with lists of outputs and of inputs, inside functions."""

    class M(tf.Module):
        @tf.function
        def parts(self, x):
            a, b, c = tf.split(x, 3, axis=1)
            d = tf.unstack(x, num=6, axis=1)
            return tf.identity_n([a, b, c]) + d

        @tf.function(input_signature=[spec(2, 6)])
        def call(self, x):
            p = self.parts(x)
            values, indices = tf.nn.top_k(x, k=2)
            u, n = tf.raw_ops.ShapeN(input=[p[0], x])
            return {"joined": tf.concat([p[2], p[0], p[1]], axis=1), "stacked": tf.stack(p[3:][::-1], axis=1),
                    "values": values, "indices": indices, "shapes": u + n}

    m = M()
    save(m, to, serving_default=m.call)
    return {"serving_default": {"x": draw(2, 6)}}


@model
def gathers(to):
    """Variables read by index."""

    class M(tf.Module):
        def __init__(self):
            self.table = tf.Variable(draw(10, 4), name="table")
            self.batched = tf.Variable(draw(2, 5, 3), name="batched")

        @tf.function(input_signature=[spec(None, dtype=tf.int32, name="ids"), spec(2, 3, dtype=tf.int64, name="rows")])
        def call(self, ids, rows):
            return {"embedded": tf.gather(self.table, ids), "batch": tf.gather(self.batched, rows, batch_dims=1),
                    "points": tf.gather_nd(self.table, tf.stack([ids, ids % 4], axis=1)),
                    "shape": tf.shape(self.table)}

    m = M()
    save(m, to, serving_default=m.call)
    return {"serving_default": {"ids": np.array([3, 0, 9], np.int32), "rows": np.array([[0, 4, 1], [2, 2, 3]], np.int64)}}


@model
def types(to):
    """Weights of several types, a captured tensor, scalars, an input that goes
    unused and one that is an output."""

    class M(tf.Module):
        def __init__(self):
            self.double = tf.Variable(draw(3).astype(np.float64), name="double")
            self.half = tf.Variable(draw(3).astype(np.float16), name="half")
            self.brain = tf.Variable(tf.cast(draw(3), tf.bfloat16), name="brain")
            self.whole = tf.Variable(np.arange(3, dtype=np.int64), name="whole")
            self.open = tf.Variable(draw(2, 3), name="open", shape=tf.TensorShape([None, 3]))
            self.captured = tf.constant(draw(1024, 3))

        @tf.function(input_signature=[spec(None, 3), spec(name="scale"), spec(7, name="unused")])
        def call(self, x, scale, unused):
            y = x * scale + tf.cast(self.double, tf.float32) + tf.cast(self.half, tf.float32)
            y += tf.cast(self.brain, tf.float32) + tf.cast(self.whole, tf.float32) + tf.reduce_sum(self.open, axis=0)
            return {"y": y @ tf.transpose(self.captured), "same": x}

    m = M()
    save(m, to, serving_default=m.call)
    return {"serving_default": {"x": draw(2, 3), "scale": np.float32(1.5), "unused": draw(7)}}


@model
def compiled(to):
    """A function marked for XLA, which inlines as any other."""

    class M(tf.Module):
        def __init__(self):
            self.w = tf.Variable(draw(3, 3), name="scope/w")

        @tf.function(jit_compile=True)
        def inner(self, x):
            return x @ self.w

        @tf.function(input_signature=[spec(None, 3)])
        def call(self, x):
            return {"y": tf.nn.relu(self.inner(x))}

    m = M()
    save(m, to, serving_default=m.call)
    return {"serving_default": {"x": draw(2, 3)}}


@model
def keras(to):
    """A Keras 3 model with layers that know of training, exported."""
    import keras as k

    k.utils.set_random_seed(1)
    inputs = k.Input((8, 8, 3), name="image")
    x = k.layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    x = k.layers.Conv2D(4, 3, use_bias=False)(x)
    x = k.layers.BatchNormalization()(x)
    x = k.layers.Dropout(0.5)(k.layers.ReLU()(x))
    x = k.layers.SeparableConv2D(6, 3)(x)
    x = k.layers.GlobalAveragePooling2D()(x)
    m = k.Model(inputs, {"a": k.layers.Dense(5, activation="softmax", name="a")(x), "b": k.layers.Dense(2, name="b")(x)})
    m(draw(4, 8, 8, 3), training=True)
    m.export(to, verbose=False)
    return {"serving_default": {"image": draw(2, 8, 8, 3)}}


@model
def keras_saved(to):
    """A function over a Keras 3 model of mixed precision, saved by tf.saved_model.save."""
    import keras as k

    k.utils.set_random_seed(2)
    m = k.Sequential([k.Input((6,)), k.layers.Dense(8, activation="gelu", dtype="mixed_bfloat16"),
                      k.layers.LayerNormalization(), k.layers.Dense(3)])
    holder = tf.Module()
    holder.tracked = [v.value for v in m.variables]
    f = tf.function(lambda x: {"y": m(x)}, input_signature=[spec(None, 6)])
    save(holder, to, serving_default=f.get_concrete_function())
    return {"serving_default": {"x": draw(4, 6)}}


@model
def keras_direct(to):
    """A Keras 3 model given to tf.saved_model.save as it is. TensorFlow 2 alone can
    load it: the restore operation is for copies of its variables."""
    import keras as k

    k.utils.set_random_seed(3)
    m = k.Sequential([k.Input((8, 8, 3), name="image"), k.layers.Conv2D(4, 3), k.layers.BatchNormalization(),
                      k.layers.ReLU(), k.layers.GlobalAveragePooling2D(), k.layers.Dense(3)])
    m(draw(4, 8, 8, 3), training=True)
    tf.saved_model.save(m, to)
    name = list(tf.saved_model.load(to).signatures["serving_default"].structured_input_signature[1])[0]
    return {"serving_default": {name: draw(2, 8, 8, 3)}}


@model
def towers(to):
    """A Keras 3 model of two towers of one form, whose variables have the same
    names, given to tf.saved_model.save as it is."""
    import keras as k

    k.utils.set_random_seed(4)

    def tower(name):
        i = k.Input((8, 8, 3))
        x = k.layers.Conv2D(4, 3, name="conv", bias_initializer="random_normal")(i)
        return k.Model(i, k.layers.GlobalAveragePooling2D()(x), name=name)

    i = k.Input((8, 8, 3), name="image")
    joined = k.layers.Concatenate()([tower("left")(i), tower("right")(i)])
    m = k.Model(i, k.layers.Dense(3, name="logits")(joined))
    tf.saved_model.save(m, to)
    name = list(tf.saved_model.load(to).signatures["serving_default"].structured_input_signature[1])[0]
    return {"serving_default": {name: draw(2, 8, 8, 3)}}


@model
def unnamed(to):
    """Variables without names, and two of one name, beside a Keras 3 model whose
    variables the restore operation has copies of."""
    import keras as k

    k.utils.set_random_seed(5)

    class M(tf.Module):
        def __init__(self):
            self.dense = k.Sequential([k.Input((4,)), k.layers.Dense(3, name="dense", bias_initializer="random_normal")])
            self.scale, self.shift = tf.Variable(1.5), tf.Variable(0.25)
            self.first, self.second = tf.Variable(draw(3), name="w"), tf.Variable(draw(3), name="w")

        @tf.function(input_signature=[spec(None, 4)])
        def call(self, x):
            return {"y": (self.dense(x) / self.scale + self.shift) * self.first - self.second}

    m = M()
    save(m, to, serving_default=m.call)
    return {"serving_default": {"x": draw(2, 4)}}


# Refused, by the signature of that name; "fine" needs nothing of it.


@model
def refused(to):
    class M(tf.Module):
        def __init__(self):
            self.w = tf.Variable(draw(3), name="w")
            self.counter = tf.Variable(0.0, name="counter")
            self.table = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(tf.range(3), tf.constant([5.0, 6.0, 7.0])), -1.0)

        @tf.function(input_signature=[spec(None, 3)])
        def fine(self, x):
            return {"y": x * self.w}

        @tf.function(input_signature=[spec(None, 3)])
        def table_lookup(self, x):
            return {"y": self.table.lookup(tf.cast(x, tf.int32))}

        @tf.function(input_signature=[spec(None, 3)])
        def python(self, x):
            return {"y": tf.numpy_function(lambda v: v, [x], tf.float32)}

        @tf.function(input_signature=[spec(None, 3)])
        def loop(self, x):
            return {"y": tf.map_fn(lambda row: row * self.w, x)}

        @tf.function(input_signature=[spec(None, 3)])
        def branch(self, x):
            return {"y": tf.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: x * self.w)}

        @tf.function(input_signature=[spec(None, 3)])
        def counts(self, x):
            self.counter.assign_add(1.0)
            return {"y": x * self.counter}

    m = M()
    save(m, to, **{name: getattr(m, name) for name in ["fine", "table_lookup", "python", "loop", "branch", "counts"]})
    return {"fine": {"x": draw(2, 3)}}


# TensorFlow 1


def session(build):
    """Builds a graph of TensorFlow 1 and returns it with an initialised session."""
    graph = tf.Graph()
    with graph.as_default():
        v1.set_random_seed(3)
        tensors = build()
        s = v1.Session(graph=graph)
        s.run(v1.global_variables_initializer())
        return s, tensors


def dense(x, units, name, **options):
    with v1.variable_scope(name):
        w = v1.get_variable("w", [x.shape[1], units], initializer=v1.random_normal_initializer(), **options)
        b = v1.get_variable("b", [units], initializer=v1.random_normal_initializer(), trainable=False, **options)
        return x @ w + b


def simple(to, **options):
    def build():
        x = v1.placeholder(tf.float32, [None, 4], "x")
        return x, tf.nn.softmax(dense(tf.nn.relu(dense(x, 5, "one", **options)), 3, "two", **options))

    s, (x, y) = session(build)
    with s.graph.as_default():
        v1.saved_model.simple_save(s, to, {"x": x}, {"y": y})
    return {"serving_default": {"x": draw(3, 4)}}


@model
def tf1_resource(to):
    return simple(to, use_resource=True)


@model
def tf1_reference(to):
    return simple(to, use_resource=False)


@model
def tf1_partitioned(to):
    return simple(to, use_resource=False, partitioner=v1.fixed_size_partitioner(3))


@model
def tf1_phases(to):
    """Batch norm and dropout that ask a placeholder whether they are trained,
    conditionals on the data, and a loop, all without functions."""
    v1.disable_control_flow_v2()

    def build():
        training = v1.placeholder_with_default(False, [], "training")
        x = v1.placeholder(tf.float32, [None, 4], "x")
        scale = v1.get_variable("scale", [], initializer=v1.constant_initializer(1.5), use_resource=True)
        shift = v1.get_variable("shift", [], initializer=v1.constant_initializer(0.5), use_resource=False)
        with v1.variable_scope("norm"):
            mean = v1.get_variable("mean", [4], initializer=v1.random_normal_initializer())
        y = v1.cond(training, lambda: x - tf.reduce_mean(x, axis=0), lambda: x - mean)
        y = v1.cond(training, lambda: tf.nn.dropout(y, 0.5), lambda: y)
        y = v1.cond(tf.reduce_sum(x) > 0, lambda: y * scale, lambda: y - shift)
        _, y = v1.while_loop(lambda i, _: i < 3, lambda i, t: (i + 1, t * scale + 1), [0, y])
        return x, y

    s, (x, y) = session(build)
    with s.graph.as_default():
        v1.saved_model.simple_save(s, to, {"x": x}, {"y": y})
    v1.enable_control_flow_v2()
    return {"serving_default": {"x": draw(3, 4)}}


@model
def tf1_hub(to):
    """Two graphs, tagged [] and ["train"], the signature "default", a table for a
    signature of its own, a saver whose names are not the variables', in shards."""
    builder = v1.saved_model.Builder(to)
    for i, tags in enumerate([[], ["train"]]):
        def build():
            x = v1.placeholder(tf.float32, [None, 4], "x")
            y = dense(x, 2, "module", use_resource=False) * (i + 1)
            table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a", "b"], [1.0, 2.0]), 0.0)
            z = y + table.lookup(tf.constant("b"))
            saver = v1.train.Saver({"elsewhere/" + v.op.name: v for v in v1.global_variables()}, sharded=True)
            return x, y, z, saver, v1.tables_initializer()

        s, (x, y, z, saver, init) = session(build)
        with s.graph.as_default():
            info = v1.saved_model.utils.build_tensor_info
            signature = {key: v1.saved_model.signature_def_utils.build_signature_def({"x": info(x)}, {"default": info(o)}, "m")
                         for key, o in [("default", y), ("table", z)]}
            if i == 0:
                builder.add_meta_graph_and_variables(s, tags, signature, saver=saver, main_op=init)
            else:
                builder.add_meta_graph(tags, signature, saver=saver, main_op=init)
    builder.save()
    return {"default": {"x": draw(3, 4)}}


@model
def tf1_functions(to):
    """Functions called as operations, and weights frozen into constants."""
    from tensorflow.python.framework import function

    @function.Defun(tf.float32, tf.float32, func_name="Affine")
    def affine(x, w):
        return x @ w, tf.reduce_sum(w)

    def build():
        x = v1.placeholder(tf.float32, [None, 64], "x")
        y, total = affine(x, tf.constant(draw(64, 32), name="frozen"))
        return x, y + total

    s, (x, y) = session(build)
    with s.graph.as_default():
        v1.saved_model.simple_save(s, to, {"x": x}, {"y": y})
    return {"serving_default": {"x": draw(2, 64)}}


@model
def tf1_inside(to):
    """A signature whose input is a tensor in the middle of the graph."""

    def build():
        x = v1.placeholder(tf.string, [None], "serialized")
        decoded = v1.io.decode_raw(x, tf.float32)
        decoded.set_shape([None, 4])
        return decoded, dense(decoded, 3, "layer", use_resource=True)

    s, (x, y) = session(build)
    with s.graph.as_default():
        v1.saved_model.simple_save(s, to, {"decoded": x}, {"y": y})
    return {"serving_default": {"decoded": draw(3, 4)}}


def answer2(directory, signature, inputs):
    loaded = tf.saved_model.load(directory)
    return loaded.signatures[signature](**{k: tf.constant(v) for k, v in inputs.items()})


def answer(directory, tags, signature, inputs):
    with tf.Graph().as_default(), v1.Session() as s:
        meta = v1.saved_model.loader.load(s, tags, directory)
        definition = meta.signature_def[signature]
        feeds = {definition.inputs[k].name: v for k, v in inputs.items()}
        return s.run({k: o.name for k, o in definition.outputs.items()}, feeds)


for write in models:
    to = os.path.join(out, write.__name__)
    for signature, inputs in write(to).items():
        if write in (keras_direct, towers, unnamed):
            answers = answer2(to, signature, inputs)
        else:
            answers = answer(to, [] if write is tf1_hub else ["serve"], signature, inputs)
        extra = os.path.join(to, "assets.extra", signature)
        os.makedirs(extra)
        for prefix, arrays in [("in", inputs), ("out", answers)]:
            for key, array in arrays.items():
                np.save(os.path.join(extra, f"{prefix}.{key}.npy"), np.asarray(array).astype(np.float32))
