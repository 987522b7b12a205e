"""Writes small bases of the kinds that people bring, each into a folder of its
own below the one named by --output.

Beside each lie three images of [height, width, channels] and what the model says
of each alone: assets.extra/{input,output}.npy, as float32."""

import os
import sys

import keras
import numpy as np
import tensorflow as tf
from keras import layers as L

out = sys.argv[sys.argv.index("--output") + 1]
rng = np.random.default_rng(5)
models = []


def model(write):
    """Registers a function that writes a model into the folder it is given and
    returns a function from one image, as a batch, to the answer."""
    models.append(write)
    return write


def settle(m):
    """Gives batch norm statistics of its own, so that it does something."""
    for v in m.variables:
        if v.name == "moving_mean":
            v.assign(rng.normal(size=v.shape) * 0.2)
        if v.name == "moving_variance":
            v.assign(rng.uniform(0.5, 2, size=v.shape))
    return m


def trunk(x, **kw):
    for filters in (4, 8):
        x = L.Conv2D(filters, 3, padding="same", use_bias=False, **kw)(x)
        x = L.BatchNormalization(axis=1 if kw else -1)(x)
        x = L.ReLU()(x)
        x = L.MaxPooling2D(**kw)(x)
    return x


def head(x, **kw):
    return L.Dense(5, name="logits", **kw)(L.GlobalAveragePooling2D()(x))


def images(*shape, **kw):
    return L.Input(shape or (16, 16, 3), name="image", **kw)


def classifier(i, x=None, **kw):
    return settle(keras.Model(i, head(trunk(L.Rescaling(1 / 255)(i if x is None else x)), **kw)))


def export(m, to):
    m.export(to, verbose=False)
    return lambda x: m(x, training=False)


def serve(m, to, answer, *spec):
    """Saves a function of the model as a signature."""
    module = tf.Module()
    module.m = m
    module.f = tf.function(answer, input_signature=list(spec))
    tf.saved_model.save(module, to, signatures={"serving_default": module.f})


def spec(*shape, dtype=tf.float32, name="image"):
    return tf.TensorSpec(shape or (None, 16, 16, 3), dtype, name)


# Batches


@model
def leaking(to):
    """Keras's export of Resizing lets batch norm run in training mode."""
    i = images(None, None, 3)
    return export(classifier(i, L.Resizing(16, 16)(i)), to)


@model
def training(to):
    m = classifier(images())
    serve(m, to, lambda image: {"scores": m(image, training=True)}, spec())
    return lambda x: m(x, training=False)


class Fused(tf.Module):
    """Batch norm as TensorFlow's own operation, with or without averages."""

    def __init__(self, averages):
        self.kernel = tf.Variable(rng.normal(size=(3, 3, 3, 4)).astype("f") * 0.01)
        self.mean = tf.Variable(rng.normal(size=4).astype("f"), trainable=False)
        self.variance = tf.Variable(rng.uniform(0.5, 2, size=4).astype("f"), trainable=False)
        self.averages = averages

    def call(self, image, training):
        x = tf.nn.conv2d(image, self.kernel, 1, "SAME")
        given = {} if training else {"mean": self.mean, "variance": self.variance}
        y, mean, variance = tf.compat.v1.nn.fused_batch_norm(x, tf.ones(4), tf.zeros(4), is_training=training, **given)
        if training and self.averages:
            self.mean.assign_sub((self.mean - mean) * 0.1)
            self.variance.assign_sub((self.variance - variance) * 0.1)
        return tf.reduce_mean(tf.nn.relu(y), [1, 2])


@model
def fused(to):
    m = Fused(True)
    serve(m, to, lambda image: {"features": m.call(image, True)}, spec())
    return lambda x: m.call(x, False)


@model
def centred_on_average(to):
    """An average of the batch's mean alone."""
    average, k = tf.Variable([90.0, 100, 110]), tf.Variable(rng.normal(size=(3, 3, 3, 4)).astype("f") * 0.01)
    m = tf.Module()
    m.average, m.k = average, k

    def features(image, mean):
        return tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(image - mean, k, 1, "SAME")), [1, 2])

    def answer(image):
        mean = tf.reduce_mean(image, [0, 1, 2])
        average.assign_sub((average - mean) * 0.1)
        return {"features": features(image, mean)}

    serve(m, to, answer, spec())
    return lambda x: features(x, average)


@model
def average_of_one(to):
    """What is averaged is the image's own, and stays as it is."""
    average, k = tf.Variable(tf.ones((1, 4))), tf.Variable(rng.normal(size=(3, 3, 3, 4)).astype("f") * 0.01)
    m = tf.Module()
    m.average, m.k = average, k

    def answer(image):
        features = tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(image, k, 1, "SAME")), [1, 2])
        average.assign(average * 0.9 + features * 0.1)
        return {"features": tf.nn.softmax(features)}

    serve(m, to, answer, spec(1, 16, 16, 3))
    return lambda x: answer(x)["features"]


@model
def fused_alone(to):
    m = Fused(False)
    serve(m, to, lambda image: {"features": m.call(image, True)}, spec())
    return lambda x: m.call(x, True)


@model
def centred(to):
    m = classifier(images())
    serve(m, to, lambda image: {"scores": m(image - tf.reduce_mean(image, 0, keepdims=True), training=False)}, spec())
    return lambda x: m(x, training=False)


@model
def ranked(to):
    """Scores relative to the batch's highest, by an operation of few."""
    m = classifier(images())

    def answer(image):
        y = m(image, training=False)
        return {"scores": y / tf.math.unsorted_segment_max(y, tf.zeros(tf.shape(y)[:1], tf.int32), 1)}

    serve(m, to, answer, spec())
    return lambda x: m(x, training=False)


@model
def drawn(to):
    m = classifier(images())
    serve(m, to, lambda image: {"scores": m(image + tf.random.uniform(tf.shape(image), 0, 100), training=False)}, spec())
    return lambda x: m(x, training=False)


@model
def dropped(to):
    i = images()
    m = settle(keras.Model(i, L.Dense(5)(L.Dropout(0.5)(L.GlobalAveragePooling2D()(trunk(i))))))
    a = keras.export.ExportArchive()
    a.track(m)
    a.add_endpoint("serving_default", lambda image: m(image, training=True), input_signature=[spec()])
    a.write_out(to, verbose=False)
    return lambda x: m(x, training=False)


@model
def transformer(to):
    """A vision transformer: a class token repeated for the batch."""

    class Token(L.Layer):
        def build(self, shape):
            self.token = self.add_weight(shape=(1, 1, shape[-1]))
            self.places = self.add_weight(shape=(1, shape[1] + 1, shape[-1]))

        def call(self, x):
            n = keras.ops.shape(x)[0]
            token = keras.ops.broadcast_to(self.token, (n, 1, x.shape[-1]))
            return keras.ops.concatenate([token, x], 1) + self.places

    i = images()
    x = L.Conv2D(8, 4, 4)(L.Rescaling(1 / 255)(i))
    x = Token()(L.Reshape((-1, 8))(x))
    y = L.LayerNormalization()(x)
    x = x + L.MultiHeadAttention(2, 4)(y, y)
    x = x + L.Dense(8, activation="gelu")(L.LayerNormalization()(x))
    return export(keras.Model(i, L.Dense(5)(L.LayerNormalization()(x)[:, 0])), to)


@model
def any_size(to):
    return export(classifier(images(None, None, 3)), to)


@model
def batch_of_one(to):
    i = images(batch_size=1)
    x = L.Flatten()(trunk(L.Rescaling(1 / 255)(i)))
    return export(settle(keras.Model(i, L.Dense(5)(x))), to)


@model
def fixed_batch(to):
    """A signature for one image, with the batch in its reshapes."""
    m = classifier(images())
    k = m.k = tf.Variable(rng.normal(size=(16 * 16 * 3, 5)).astype("f"))
    answer = lambda image: {"scores": tf.reshape(image / 255, [1, -1]) @ k}
    serve(m, to, answer, spec(1, 16, 16, 3))
    return lambda x: answer(x)["scores"]


@model
def normalised(to):
    """Every normalisation that is of one image."""
    i = images()
    x = keras.ops.subtract(i, keras.ops.mean(i, (1, 2, 3), keepdims=True))
    x = x / (keras.ops.std(i, (1, 2, 3), keepdims=True) + 1e-3)
    x = L.Conv2D(8, 3, padding="same")(x)
    x = L.GroupNormalization(2)(x)
    x = L.GroupNormalization(-1)(x)
    x = L.LayerNormalization()(x)
    x = L.UnitNormalization()(x)
    return export(keras.Model(i, head(x)), to)


@model
def fused_layer_norm(to):
    """Layer and instance norm by fused batch norm in training mode, whose channels are the images."""
    k = tf.Variable(rng.normal(size=(3, 3, 3, 4)).astype("f") * 0.01)

    def answer(image):
        x = tf.nn.conv2d(image, k, 1, "SAME")
        n = tf.shape(x)[0]
        y = tf.reshape(x, tf.stack([1, n, 16 * 16 * 4, 1]))
        y, _, _ = tf.compat.v1.nn.fused_batch_norm(y, tf.ones([n]), tf.zeros([n]), data_format="NCHW", is_training=True)
        y = tf.transpose(tf.reshape(y, tf.shape(x)), [1, 2, 0, 3])
        y = tf.reshape(y, tf.stack([1, 16, 16, 4 * n]))
        y, _, _ = tf.compat.v1.nn.fused_batch_norm(y, tf.ones([4 * n]), tf.zeros([4 * n]), is_training=True)
        y = tf.transpose(tf.reshape(y, tf.stack([16, 16, n, 4])), [2, 0, 1, 3])
        return {"features": tf.reduce_max(y, [1, 2])}

    m = tf.Module()
    m.k = k
    serve(m, to, answer, spec())
    return lambda x: answer(tf.constant(x))["features"]


@model
def dilated(to):
    i = images()
    x = L.Conv2D(4, 3, padding="same")(L.Rescaling(1 / 255)(i))
    m = keras.Model(i, head(L.Conv2D(4, 3, dilation_rate=2, padding="same")(x)))
    k = tf.Variable(rng.normal(size=(3, 3, 4, 4)).astype("f"))

    def answer(image):
        y = tf.space_to_batch_nd(m.layers[2](m.layers[1](image)), [2, 2], [[2, 2], [2, 2]])
        y = tf.batch_to_space(tf.nn.conv2d(y, k, 1, "VALID"), [2, 2], [[0, 0], [0, 0]])
        both = tf.reshape(tf.concat([y, tf.reverse(y, [2])], 0), [2, -1, 16, 16, 4])
        return {"features": tf.reduce_mean(both, [0, 2, 3])}

    m.k = k
    serve(m, to, answer, spec())
    return lambda x: answer(tf.constant(x))["features"]


# Types and layouts


def under(policy, make):
    keras.config.set_dtype_policy(policy)
    try:
        return make()
    finally:
        keras.config.set_dtype_policy("float32")


@model
def mixed_float16(to):
    return under("mixed_float16", lambda: export(classifier(images(), dtype="float32"), to))


@model
def mixed_bfloat16(to):
    return under("mixed_bfloat16", lambda: export(classifier(images(), dtype="float32"), to))


@model
def float16(to):
    return under("float16", lambda: export(classifier(images(dtype="float16")), to))


@model
def bfloat16(to):
    return under("bfloat16", lambda: export(classifier(images(dtype="bfloat16")), to))


@model
def float64(to):
    return under("float64", lambda: export(classifier(images(dtype="float64")), to))


@model
def uint8(to):
    return export(classifier(images(dtype="uint8")), to)


@model
def int32(to):
    return export(classifier(images(dtype="int32")), to)


@model
def int8(to):
    return export(classifier(images(dtype="int8")), to)


def first(x, **kw):
    """A network with channels first, or, for the reference, last."""
    last = not kw
    join = -1 if last else 1
    x = L.Conv2D(4, 3, padding="same", use_bias=False, name="conv", **kw)(x)
    x = L.BatchNormalization(axis=join, name="bn")(x)
    y = x = L.ReLU(6.0)(x)
    y = L.ZeroPadding2D(((0, 1), (2, 1)), **kw)(y)
    y = L.DepthwiseConv2D(3, 2, name="depth", **kw)(y)
    x = L.AveragePooling2D(2, **kw)(x)
    y = y[:, :8, :8, :] if last else y[:, :, :8, :8]
    y = y[:, :7, :7, :] if last else y[:, :, :7, :7]
    x = x[:, :7, :7, :] if last else x[:, :, :7, :7]
    x = L.Concatenate(axis=join)([x, L.Activation("silu")(y)])
    gate = L.Dense(8, activation="sigmoid", name="gate")(L.GlobalMaxPooling2D(**kw)(x))
    x = x * L.Reshape((1, 1, 8) if last else (8, 1, 1))(gate)
    x = x + L.Conv2D(8, 1, name="bias", **kw)(x)
    return L.Dense(5, name="logits")(L.GlobalAveragePooling2D(**kw)(x))


@model
def channels_first(to):
    i, j = images(3, 16, 16), images()
    a = keras.Model(i, first(i, data_format="channels_first"))
    b = settle(keras.Model(j, first(j)))
    a.set_weights(b.get_weights())
    m = tf.Module()
    m.w = {l.name: [tf.Variable(v) for v in l.get_weights()] for l in b.layers if l.get_weights()}

    def answer(image):
        """The same written in TensorFlow's own operations, as converters do."""
        f = {"data_format": "NCHW"}
        x = tf.nn.conv2d(image, m.w["conv"][0], 1, "SAME", **f)
        gamma, beta, mean, variance = m.w["bn"]
        x, _, _ = tf.compat.v1.nn.fused_batch_norm(x, gamma, beta, mean, variance, 1e-3, is_training=False, **f)
        y = x = tf.nn.relu6(x)
        y = tf.pad(y, [[0, 0], [0, 0], [0, 1], [2, 1]])
        y = tf.raw_ops.DepthwiseConv2dNative(input=y, filter=m.w["depth"][0], strides=[1, 1, 2, 2], padding="VALID", **f)
        y = tf.nn.bias_add(y, m.w["depth"][1], **f)
        x = tf.nn.avg_pool2d(x, 2, 2, "VALID", **f)[:, :, :7, :7]
        y = y[:, :, :7, :7]
        x = tf.concat([x, y * tf.sigmoid(y)], 1)
        gate = tf.sigmoid(tf.reduce_max(x, [2, 3]) @ m.w["gate"][0] + m.w["gate"][1])
        x = x * tf.reshape(gate, [-1, 8, 1, 1])
        x = x + tf.nn.bias_add(tf.nn.conv2d(x, m.w["bias"][0], 1, "VALID", **f), m.w["bias"][1], **f)
        return {"scores": tf.reduce_mean(x, [2, 3]) @ m.w["logits"][0] + m.w["logits"][1]}

    serve(m, to, answer, spec(None, 3, 16, 16))
    return lambda x: b(x, training=False)


# Signatures


@model
def auxiliary(to):
    i = images()
    x = L.Conv2D(4, 3, padding="same", activation="relu", name="shallow")(L.Rescaling(1 / 255)(i))
    side = L.Dense(5, name="AuxLogits")(L.GlobalAveragePooling2D()(x))
    x = L.Conv2D(8, 3, padding="same", activation="relu", name="deep")(L.MaxPooling2D()(x))
    x = L.Conv2D(8, 3, padding="same", activation="relu", name="deepest")(L.MaxPooling2D()(x))
    m = keras.Model(i, {"AuxLogits": side, "Logits": head(x)})
    export(m, to)
    return lambda x: m(x)["Logits"]


@model
def named(to):
    m = classifier(images())
    m.table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(tf.range(5, dtype=tf.int64), tf.constant([f"kind {i}" for i in range(5)])), "?")

    def answer(image):
        y = m(image, training=False)
        best = tf.argmax(y, -1)
        return {"best": best, "class_name": m.table.lookup(best), "logits": y, "text": tf.as_string(y)}

    serve(m, to, answer, spec())
    return lambda x: m(x, training=False)


@model
def two_inputs(to):
    i, t = images(), L.Input((4,), name="patient")
    x = L.GlobalAveragePooling2D(name="pooled")(trunk(i))
    m = settle(keras.Model({"image": i, "patient": t}, L.Dense(5)(L.Concatenate()([x, t]))))
    export(m, to)
    before = keras.Model(i, x)
    return lambda x: before(x, training=False)


@model
def two_images(to):
    a, b = L.Input((16, 16, 3), name="left"), L.Input((16, 16, 3), name="right")
    left, right = (L.GlobalAveragePooling2D()(trunk(x)) for x in (a, b))
    m = settle(keras.Model({"left": a, "right": b}, L.Dense(5)(L.Concatenate()([left, right]))))
    export(m, to)
    before = keras.Model(b, right)
    return lambda x: before(x, training=False)


@model
def joined_at_once(to):
    i, t = L.Input((16, 16, 3), name="a"), L.Input((16, 16, 3), name="b")
    m = keras.Model({"a": i, "b": t}, classifier(images())(L.Add()([i, t])))
    export(m, to)
    return None


@model
def encoded(to):
    m = classifier(images())
    one = lambda b: tf.image.resize(tf.io.decode_image(b, 3, expand_animations=False), (16, 16))
    serve(m, to, lambda image_bytes: {"scores": m(tf.map_fn(one, image_bytes, fn_output_signature=tf.float32), training=False)},
          spec(None, dtype=tf.string, name="image_bytes"))
    return None


@model
def switched(to):
    """A second input that has a default."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as s:
        i = v1.placeholder(tf.float32, (None, 16, 16, 3), "image")
        phase = v1.placeholder_with_default(False, (), "is_training")
        k = v1.get_variable("k", (3, 3, 3, 4))
        x = tf.cond(phase, lambda: tf.nn.dropout(i, 0.5), lambda: i)
        y = tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(x, k, 1, "SAME")), [1, 2])
        s.run(v1.global_variables_initializer())
        kernel = s.run(k)
        v1.saved_model.simple_save(s, to, {"image": i, "is_training": phase}, {"features": y})
    return lambda x: tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(x, kernel, 1, "SAME")), [1, 2])


for write in models:
    keras.utils.set_random_seed(3)
    to = os.path.join(out, write.__name__)
    answer = write(to)
    if answer is None:
        continue
    x = rng.integers(0, 256, size=(3, 16, 16, 3)).astype(np.float32)
    example = os.path.join(to, "assets.extra")
    os.makedirs(example, exist_ok=True)
    rows = []
    for one in x:
        given = tf.constant(one[None])
        if write.__name__ in ("float16", "bfloat16", "float64", "uint8", "int32", "int8"):
            given = tf.cast(given, write.__name__)
        rows.append(np.asarray(tf.cast(answer(given), tf.float32))[0])
    np.save(os.path.join(example, "input.npy"), x)
    np.save(os.path.join(example, "output.npy"), np.stack(rows))
