"""Layers of Keras that take their weights when they are made."""

import keras
import tensorflow as tf
from keras import layers

from weights import Weights


class Units:
    """Makes layers; norm, where set, are the arguments of the batch normalisation behind each convolution."""

    def __init__(self, weights: Weights, norm: dict | None = None, bias: bool | None = None):
        self.weights, self.norm = weights, norm
        self.bias = norm is None if bias is None else bias
        self.norms = []  # (name, layer) of each batch normalisation

    def conv(self, name, x, filters, size, stride=1, pad="valid", bias=None, groups=1):
        if isinstance(pad, int):
            x, pad = (layers.ZeroPadding2D(pad)(x) if pad else x), "valid"
        bias = self.bias if bias is None else bias
        layer = layers.Conv2D(filters, size, stride, pad, use_bias=bias, groups=groups)
        return self.load(layer, name, x, ["kernel", "bias"] if bias else ["kernel"])

    def norm_of(self, name, x):
        layer = layers.BatchNormalization(**self.norm)
        scaled = ["gamma"] if self.norm.get("scale", True) else []
        self.norms.append((name, layer))
        return self.load(layer, name, x, scaled + ["beta", "moving_mean", "moving_variance"])

    def linear(self, name, x, *args, **kwargs):
        x = self.conv(name, x, *args, **kwargs)
        return x if self.norm is None else self.norm_of(name + "/bn", x)

    def unit(self, name, x, *args, **kwargs):
        return layers.ReLU()(self.linear(name, x, *args, **kwargs))

    def dense(self, name, x, units, activation=None):
        return self.load(layers.Dense(units, activation), name, x, ["kernel", "bias"])

    def load(self, layer, name, x, roles):
        y = layer(x)
        layer.set_weights([self.weights.take(f"{name}/{role}") for role in roles])
        return y


class LRN(layers.Layer):
    """Krizhevsky et al. 2012, section 3.3."""

    def call(self, x):
        return tf.nn.local_response_normalization(x, depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75)


def ceil_pool(x, size, stride):
    """Max pooling that completes the last, partial window below and to the right."""
    extra = [(stride - (n - size) % stride) % stride for n in x.shape[1:3]]
    if any(extra):  # behind a ReLU, a padding of zeros never wins
        x = layers.ZeroPadding2D(((0, extra[0]), (0, extra[1])))(x)
    return layers.MaxPooling2D(size, stride)(x)


def concat(*parts):
    return layers.Concatenate()(list(parts))


def images(shape):
    return keras.Input(shape)
