"""LeNet-5, AlexNet, ZF Net and VGG, from their papers' tables."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from units import LRN, Units, ceil_pool, images


def lenet5(weights, shape, classes):
    u, x = Units(weights), images(shape)
    y = layers.MaxPooling2D(2)(u.unit("C1", x, 6, 5))
    y = layers.MaxPooling2D(2)(u.unit("C3", y, 16, 5))
    y = u.dense("C5", layers.Flatten()(y), 120, "relu")
    return x, [u.dense("output", u.dense("F6", y, 84, "relu"), classes)], u


# LeCun et al. 1998, Table I, by columns: the maps of S2 that each map of C3 sees.
TABLE_I = "012 123 234 345 045 015 0123 1234 2345 0345 0145 0125 0134 1245 0235 012345".split()


class ScaledTanh(layers.Layer):
    def call(self, x):
        return 1.7159 * tf.tanh(x * (2.0 / 3.0))


class RBF(layers.Layer):
    def __init__(self, centres):
        super().__init__()
        self.centres = tf.constant(centres)

    def call(self, x):
        return -tf.reduce_sum((x[:, None, :] - self.centres[None]) ** 2, axis=-1)


def lenet5_paper(weights, shape, classes):
    u, x = Units(weights), images(shape)

    def subsample(name, x):
        maps = x.shape[-1]
        layer = layers.DepthwiseConv2D(2, 2)
        y = layer(x)
        coefficient = weights.take(name + "/coefficient")
        layer.set_weights([np.broadcast_to(coefficient[:, None], (2, 2, maps, 1)), weights.take(name + "/bias")])
        return ScaledTanh()(y)

    y = subsample("S2", ScaledTanh()(u.conv("C1", x, 6, 5)))
    kernel, bias, maps, offset = weights.take("C3/kernel"), weights.take("C3/bias"), [], 0
    for i, column in enumerate(TABLE_I):
        seen = [int(m) for m in column]
        layer = layers.Conv2D(1, 5)
        maps.append(layer(keras.ops.take(y, seen, axis=-1)))
        layer.set_weights([kernel[:, :, offset : offset + len(seen), None], bias[i : i + 1]])
        offset += len(seen)
    y = subsample("S4", ScaledTanh()(layers.Concatenate()(maps)))
    y = layers.Flatten()(ScaledTanh()(u.conv("C5", y, 120, 5)))
    y = ScaledTanh()(u.dense("F6", y, 84))
    return x, [RBF(weights.take("output/centres"))(y)], u


def classifier(u, y, classes):
    y = u.dense("fc6", layers.Flatten()(y), 4096, "relu")
    return u.dense("fc8", u.dense("fc7", y, 4096, "relu"), classes)


def alexnet(weights, shape, classes):
    u, x = Units(weights), images(shape)
    y = layers.MaxPooling2D(3, 2)(LRN()(u.unit("conv1", x, 96, 11, 4)))
    y = layers.MaxPooling2D(3, 2)(LRN()(u.unit("conv2", y, 256, 5, pad=2, groups=2)))
    y = u.unit("conv3", y, 384, 3, pad=1)
    y = u.unit("conv4", y, 384, 3, pad=1, groups=2)
    y = u.unit("conv5", y, 256, 3, pad=1, groups=2)
    return x, [classifier(u, layers.MaxPooling2D(3, 2)(y), classes)], u


def alexnet_onetower(weights, shape, classes):
    u, x = Units(weights), images(shape)
    y = layers.MaxPooling2D(3, 2)(u.unit("conv1", x, 64, 11, 4, pad=2))
    y = layers.MaxPooling2D(3, 2)(u.unit("conv2", y, 192, 5, pad=2))
    y = u.unit("conv3", y, 384, 3, pad=1)
    y = u.unit("conv4", y, 256, 3, pad=1)
    y = u.unit("conv5", y, 256, 3, pad=1)
    return x, [classifier(u, layers.MaxPooling2D(3, 2)(y), classes)], u


def zfnet(weights, shape, classes):
    u, x = Units(weights), images(shape)
    y = LRN()(ceil_pool(u.unit("conv1", x, 96, 7, 2, pad=1), 3, 2))
    y = LRN()(ceil_pool(u.unit("conv2", y, 256, 5, 2), 3, 2))
    for i, filters in enumerate([384, 384, 256]):
        y = u.unit(f"conv{i + 3}", y, filters, 3, pad=1)
    return x, [classifier(u, ceil_pool(y, 3, 2), classes)], u


def vgg16(weights, shape, classes):
    model = keras.applications.VGG16(weights=None, input_shape=shape, classes=classes, classifier_activation=None)
    names = {"fc1": "fc6", "fc2": "fc7", "predictions": "fc8"}
    for layer in model.layers:
        if layer.weights:
            name = names.get(layer.name, layer.name.replace("block", "conv").replace("_", "/"))
            layer.set_weights([weights.take(name + "/kernel"), weights.take(name + "/bias")])
    return model.input, [model.output], Units(weights)


NETWORKS = {
    "lenet5": lenet5,
    "lenet5-paper": lenet5_paper,
    "alexnet": alexnet,
    "alexnet-onetower": alexnet_onetower,
    "zfnet": zfnet,
    "vgg16": vgg16,
}
