"""EfficientNet-Lite, of which keras.applications has only the larger relatives."""

import math

from keras import layers

from units import Units, images

STAGES = [  # units, size, stride, expansion, filters
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]


def filters_of(filters, width):
    """The authors' round_filters."""
    scaled = filters * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return int(rounded + 8 if rounded < 0.9 * scaled else rounded)


def lite(width, depth):
    def build(weights, shape, classes):
        u, x = Units(weights, {"epsilon": 1e-3, "momentum": 0.99}), images(shape)

        def six(y):
            return layers.ReLU(max_value=6)(y)

        y = six(u.linear("stem", x, 32, 3, 2, pad="same"))
        for number, (units, size, stride, expansion, filters) in enumerate(STAGES, 1):
            if 1 < number < len(STAGES):
                units = math.ceil(units * depth)
            for i in range(units):
                name, before = f"stage{number}/block{i + 1}", y
                if expansion > 1:
                    y = six(u.linear(f"{name}/expand", y, expansion * y.shape[-1], 1))
                deep = layers.DepthwiseConv2D(size, 1 if i else stride, "same", use_bias=False)
                y = six(u.norm_of(f"{name}/depthwise/bn", u.load(deep, f"{name}/depthwise", y, ["kernel"])))
                y = u.linear(f"{name}/project", y, filters_of(filters, width), 1)
                if i:
                    y = layers.Add()([before, y])
        y = six(u.linear("head", y, 1280, 1))
        return x, [u.dense("fc", layers.GlobalAveragePooling2D()(y), classes)], u

    return build


NETWORKS = {"efficientnet-lite0": lite(1.0, 1.0), "efficientnet-lite4": lite(1.4, 1.8)}
