"""GoogLeNet from its paper's table; Inception v3 from keras.applications and as torchvision changes it."""

import keras
from keras import layers

from units import LRN, Units, ceil_pool, concat, images

# Szegedy et al. 2015, Table 1: #1×1, #3×3 reduce, #3×3, #5×5 reduce, #5×5, pool proj.
TABLE = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


def googlenet(norm=None, five=5, pool4=3, auxiliary=False):
    def build(weights, shape, classes):
        u, x = Units(weights, norm), images(shape)
        respond = LRN() if norm is None else (lambda x: x)
        y = respond(ceil_pool(u.unit("conv1", x, 64, 7, 2, pad=3), 3, 2))
        y = respond(u.unit("conv2", u.unit("conv2_reduce", y, 64, 1), 192, 3, pad="same"))
        y, heads = ceil_pool(y, 3, 2), []
        for name, (one, r3, three, r5, n5, pooled) in TABLE.items():
            y = concat(
                u.unit(f"{name}/1x1", y, one, 1),
                u.unit(f"{name}/3x3", u.unit(f"{name}/3x3_reduce", y, r3, 1), three, 3, pad="same"),
                u.unit(f"{name}/5x5", u.unit(f"{name}/5x5_reduce", y, r5, 1), n5, five, pad="same"),
                u.unit(f"{name}/pool_proj", layers.MaxPooling2D(3, 1, "same")(y), pooled, 1),
            )
            if auxiliary and name in ("4a", "4d"):
                z = layers.AveragePooling2D(5, 3)(y)
                z = layers.Flatten()(u.unit(f"aux_{name}/conv", z, 128, 1))
                heads.append(u.dense(f"aux_{name}/fc2", u.dense(f"aux_{name}/fc1", z, 1024, "relu"), classes))
            if name == "3b":
                y = ceil_pool(y, 3, 2)
            if name == "4e":
                y = ceil_pool(y, pool4, 2)
        return x, [u.dense("fc", layers.GlobalAveragePooling2D()(y), classes)] + heads, u

    return build


def inception_v3_names():
    """The convolutions in the order in which keras.applications makes them."""
    yield from (f"stem{i}" for i in (1, 2, 3, 5, 6))
    grid35 = {"1x1": 1, "5x5": 2, "3x3dbl": 3}
    grid17 = {"1x1": 1, "7x7": 3, "7x7dbl": 5}
    for i in range(11):
        module = f"mixed{i}"
        if i == 3:
            branches = {"3x3": 1, "3x3dbl": 3}
        elif i == 8:
            branches = {"3x3": 2, "7x7x3": 4}
        elif i > 8:
            yield f"{module}/1x1/conv1"
            yield f"{module}/3x3/conv1"
            yield from (f"{module}/3x3/{split}" for split in ("1x3", "3x1"))
            yield from (f"{module}/3x3dbl/{step}" for step in ("conv1", "conv2", "1x3", "3x1"))
            yield f"{module}/pool_proj"
            continue
        else:
            branches = grid35 if i < 3 else grid17
        for branch, steps in branches.items():
            yield from (f"{module}/{branch}/conv{step + 1}" for step in range(steps))
        if i not in (3, 8):
            yield f"{module}/pool_proj"


def inception_v3(weights, shape, classes):
    model = keras.applications.InceptionV3(weights=None, input_shape=shape, classes=classes, classifier_activation=None)

    def made(kind):  # Keras numbers layers as it makes them: conv2d, conv2d_1, …
        found = {layer.name: layer for layer in model.layers if isinstance(layer, kind)}
        return [found[name] for name in sorted(found, key=lambda name: (len(name), name))]

    convs, norms = made(layers.Conv2D), made(layers.BatchNormalization)
    for name, conv, norm in zip(inception_v3_names(), convs, norms, strict=True):
        conv.set_weights([weights.take(name + "/kernel")])
        norm.set_weights([weights.take(f"{name}/bn/{role}") for role in ("beta", "moving_mean", "moving_variance")])
    model.layers[-1].set_weights([weights.take("fc/kernel"), weights.take("fc/bias")])
    return model.input, [model.output], Units(weights)


def inception_v3_torchvision(weights, shape, classes):
    u, x = Units(weights, {"epsilon": 1e-3, "momentum": 0.9}), images(shape)

    def chain(name, x, *steps):
        for i, (filters, size) in enumerate(steps):
            x = u.unit(f"{name}/conv{i + 1}", x, filters, size, pad="same")
        return x

    def average(x):  # torch counts the padding's zeros
        return layers.AveragePooling2D(3, 1)(layers.ZeroPadding2D(1)(x))

    y = u.unit("stem2", u.unit("stem1", x, 32, 3, 2), 32, 3)
    y = layers.MaxPooling2D(3, 2)(u.unit("stem3", y, 64, 3, pad="same"))
    y = layers.MaxPooling2D(3, 2)(u.unit("stem6", u.unit("stem5", y, 80, 1), 192, 3))
    for i, pooled in enumerate((32, 64, 64)):
        m = f"mixed{i}"
        y = concat(
            chain(f"{m}/1x1", y, (64, 1)),
            chain(f"{m}/5x5", y, (48, 1), (64, 5)),
            chain(f"{m}/3x3dbl", y, (64, 1), (96, 3), (96, 3)),
            u.unit(f"{m}/pool_proj", average(y), pooled, 1),
        )
    y = concat(
        u.unit("mixed3/3x3/conv1", y, 384, 3, 2),
        u.unit("mixed3/3x3dbl/conv3", chain("mixed3/3x3dbl", y, (64, 1), (96, 3)), 96, 3, 2),
        layers.MaxPooling2D(3, 2)(y),
    )
    for i, n in zip(range(4, 8), (128, 160, 160, 192)):
        m = f"mixed{i}"
        y = concat(
            chain(f"{m}/1x1", y, (192, 1)),
            chain(f"{m}/7x7", y, (n, 1), (n, (1, 7)), (192, (7, 1))),
            chain(f"{m}/7x7dbl", y, (n, 1), (n, (7, 1)), (n, (1, 7)), (n, (7, 1)), (192, (1, 7))),
            u.unit(f"{m}/pool_proj", average(y), 192, 1),
        )
    z = u.unit("aux/conv1", layers.AveragePooling2D(5, 3)(y), 128, 1)
    z = layers.GlobalAveragePooling2D()(u.unit("aux/conv2", z, 768, 5))
    head = u.dense("aux/fc", z, classes)
    y = concat(
        u.unit("mixed8/3x3/conv2", chain("mixed8/3x3", y, (192, 1)), 320, 3, 2),
        u.unit("mixed8/7x7x3/conv4", chain("mixed8/7x7x3", y, (192, 1), (192, (1, 7)), (192, (7, 1))), 192, 3, 2),
        layers.MaxPooling2D(3, 2)(y),
    )
    for m in ("mixed9", "mixed10"):
        a = chain(f"{m}/3x3", y, (384, 1))
        b = chain(f"{m}/3x3dbl", y, (448, 1), (384, 3))
        y = concat(
            chain(f"{m}/1x1", y, (320, 1)),
            *(u.unit(f"{m}/{branch}/{name}", x, 384, size, pad="same")
              for branch, x in (("3x3", a), ("3x3dbl", b)) for name, size in (("1x3", (1, 3)), ("3x1", (3, 1)))),
            u.unit(f"{m}/pool_proj", average(y), 192, 1),
        )
    return x, [u.dense("fc", layers.GlobalAveragePooling2D()(y), classes), head], u


NORM = {"epsilon": 1e-3, "momentum": 0.9}
NETWORKS = {
    "googlenet": googlenet(),
    "googlenet-aux": googlenet(auxiliary=True),
    "googlenet-bn": googlenet(NORM),
    "googlenet-torchvision": googlenet(NORM, five=3, pool4=2),
    "inceptionv3": inception_v3,
    "inceptionv3-torchvision": inception_v3_torchvision,
}
