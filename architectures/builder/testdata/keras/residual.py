"""ResNets from their papers' tables, and those of keras.applications."""

import re

import keras
from keras import layers

from units import Units, images

UNITS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
NORM = {"epsilon": 1e-5, "momentum": 0.9}


def resnet(depth, inside=False):
    """He et al. 2015, Table 1; inside: the 3×3 convolution of a bottleneck unit strides (v1.5)."""

    def build(weights, shape, classes):
        u, x = Units(weights, NORM), images(shape)
        y = u.unit("conv1", x, 64, 7, 2, pad=3)
        y = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(y))
        for stage, units in enumerate(UNITS[depth]):
            width = 64 << stage
            for i in range(units):
                name, stride = f"conv{stage + 2}/block{i + 1}", 2 if stage and not i else 1
                out = width if depth < 50 else 4 * width
                skip = y
                if i == 0 and (stage or depth >= 50):
                    skip = u.linear(f"{name}/shortcut", y, out, 1, stride)
                if depth < 50:
                    z = u.unit(f"{name}/conv1", y, width, 3, stride, pad=1)
                    z = u.linear(f"{name}/conv2", z, width, 3, pad=1)
                else:
                    z = u.unit(f"{name}/conv1", y, width, 1, 1 if inside else stride)
                    z = u.unit(f"{name}/conv2", z, width, 3, stride if inside else 1, pad=1)
                    z = u.linear(f"{name}/conv3", z, out, 1)
                y = layers.ReLU()(layers.Add()([z, skip]))
        return x, [u.dense("fc", layers.GlobalAveragePooling2D()(y), classes)], u

    return build


def resnet_v2(depth):
    """He et al. 2016, Figure 4(e) and appendix."""

    def build(weights, shape, classes):
        u, x = Units(weights, NORM, bias=False), images(shape)

        def activated(name, x):
            return layers.ReLU()(u.norm_of(f"{name}/bn", x))

        y = activated("conv1", u.conv("conv1", x, 64, 7, 2, pad=3))
        y = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(y))
        for stage, units in enumerate(UNITS[depth]):
            width = 64 << stage
            for i in range(units):
                name, stride = f"conv{stage + 2}/block{i + 1}", 2 if stage and not i else 1
                out = width if depth < 50 else 4 * width
                z = activated(f"{name}/preact", y) if stage or i else y
                skip = y
                if i == 0 and (stage or depth >= 50):
                    skip = u.conv(f"{name}/shortcut", z, out, 1, stride)
                if depth < 50:
                    z = activated(f"{name}/conv1", u.conv(f"{name}/conv1", z, width, 3, stride, pad=1))
                    z = u.conv(f"{name}/conv2", z, width, 3, pad=1)
                else:
                    z = activated(f"{name}/conv1", u.conv(f"{name}/conv1", z, width, 1, stride))
                    z = activated(f"{name}/conv2", u.conv(f"{name}/conv2", z, width, 3, pad=1))
                    z = u.conv(f"{name}/conv3", z, out, 1)
                y = layers.Add()([z, skip])
        y = layers.GlobalAveragePooling2D()(activated("norm", y))
        return x, [u.dense("fc", y, classes)], u

    return build


class OptionA(layers.Layer):
    """Every second position, and zeros for the new channels."""

    def call(self, x):
        return keras.ops.pad(x[:, ::2, ::2], [(0, 0), (0, 0), (0, 0), (0, x.shape[-1])])


def cifar(n):
    """He et al. 2015, section 4.2."""

    def build(weights, shape, classes):
        u, x = Units(weights, NORM), images(shape)
        y = u.unit("conv1", x, 16, 3, pad=1)
        for stage, width in enumerate((16, 32, 64)):
            for i in range(n):
                name, shrink = f"conv{stage + 2}/block{i + 1}", stage and not i
                z = u.unit(f"{name}/conv1", y, width, 3, 2 if shrink else 1, pad=1)
                z = u.linear(f"{name}/conv2", z, width, 3, pad=1)
                y = layers.ReLU()(layers.Add()([z, OptionA()(y) if shrink else y]))
        return x, [u.dense("fc", layers.GlobalAveragePooling2D()(y), classes)], u

    return build


def application(make, names):
    """A network of keras.applications; names are pairs of a pattern for Keras' layer names and ours."""

    def build(weights, shape, classes):
        model = make(weights=None, input_shape=shape, classes=classes, classifier_activation=None)
        for layer in model.layers:
            if not layer.weights:
                continue
            name = layer.name
            for pattern, ours in names:
                name = re.sub(pattern, ours, name)
            layer.set_weights([weights.take(f"{name}/{w.name}") for w in layer.weights])
        return model.input, [model.output], Units(weights)

    return build


V1 = [
    (r"^conv1_conv$", "conv1"),
    (r"^conv1_bn$", "conv1/bn"),
    (r"^(conv\d)_(block\d+)_0_conv$", r"\1/\2/shortcut"),
    (r"^(conv\d)_(block\d+)_0_bn$", r"\1/\2/shortcut/bn"),
    (r"^(conv\d)_(block\d+)_(\d)_conv$", r"\1/\2/conv\3"),
    (r"^(conv\d)_(block\d+)_(\d)_bn$", r"\1/\2/conv\3/bn"),
    (r"^predictions$", "fc"),
]
V2 = [(r"^(conv\d)_(block\d+)_preact_bn$", r"\1/\2/preact/bn"), (r"^post_bn$", "norm/bn")] + V1

NETWORKS = {
    "resnet18": resnet(18),
    "resnet50": resnet(50),
    "resnet50v1.5": resnet(50, inside=True),
    "resnet18v2": resnet_v2(18),
    "resnet50v2": resnet_v2(50),
    "resnet20-cifar": cifar(3),
    "resnet50-keras": application(keras.applications.ResNet50, V1),
    "resnet50v2-keras": application(keras.applications.ResNet50V2, V2),
}
