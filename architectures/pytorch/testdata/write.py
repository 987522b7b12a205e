"""Writes answers.json: the logits of torchvision's and timm's own networks, for
weights and images that the test makes by the same rule. Needs torch, torchvision
and timm:

    python3 write.py > answers.json
"""

import json
import math

import numpy as np
import timm
import torch
import torchvision
from torch import nn

CLASSES = 7


def noise(name, count):
    """Numbers from 0 to 1, by a linear congruential generator that starts at the FNV-1a hash of a name."""
    state = 2166136261
    for byte in name.encode():
        state = (state ^ byte) * 16777619 % 2**32
    with np.errstate(over="ignore"):
        factors = np.cumprod(np.full(count, 1664525, np.uint32), dtype=np.uint32)
        sums = np.cumsum(np.concatenate([[1], factors[:-1]]).astype(np.uint32), dtype=np.uint32)
        states = factors * np.uint32(state) + sums * np.uint32(1013904223)
    return (states.astype(np.float64) / 2**32).astype(np.float32)


def values(name, shape):
    u = noise(name, math.prod(shape)).reshape(shape)
    if len(shape) > 1:
        return (2 * u - 1) * np.float32(math.sqrt(6 / math.prod(shape[1:])))
    if name.endswith("running_var"):
        return 1 + u / 2
    if name.endswith("weight"):
        return np.float32(1) + (u - np.float32(0.5)) / 5
    return (u - np.float32(0.5)) / 5


def answer(model, height, width):
    state = model.state_dict()
    for name, value in state.items():
        if not name.endswith("num_batches_tracked"):
            value.copy_(torch.from_numpy(np.ascontiguousarray(values(name, tuple(value.shape)))))
    image = torch.from_numpy(noise("images", 3 * height * width).reshape(1, 3, height, width).copy())
    with torch.no_grad():
        logits = model.eval()(image)[0].tolist()
    return {"size": [height, width], "shapes": {n: list(v.shape) for n, v in state.items()}, "logits": logits}


def vision(name, **options):
    return getattr(torchvision.models, name)(weights=None, num_classes=CLASSES, **options)


def small(model, first, inputs):
    """For images smaller than the paper's: without the pooling to a fixed size."""
    model.avgpool = nn.Identity()
    model.classifier[first] = nn.Linear(inputs, 4096)
    return model


auxiliary = {"aux_logits": True, "init_weights": False, "transform_input": False}
answers = {
    "alexnet-onetower": answer(small(vision("alexnet"), 1, 256 * 2 * 2), 96, 96),
    "vgg11": answer(small(vision("vgg11"), 0, 512 * 2 * 2), 64, 64),
    "vgg13": answer(small(vision("vgg13"), 0, 512 * 2 * 1), 64, 32),
    "googlenet-torchvision": answer(vision("googlenet", **auxiliary), 64, 64),
    "inceptionv3-torchvision": answer(vision("inception_v3", **auxiliary), 299, 299),
    "resnet18": answer(vision("resnet18"), 64, 48),
    "resnet50v1.5": answer(vision("resnet50"), 64, 48),
    "efficientnet-lite0": answer(timm.create_model("tf_efficientnet_lite0", num_classes=CLASSES), 64, 80),
    "efficientnet-lite3": answer(timm.create_model("tf_efficientnet_lite3", num_classes=CLASSES), 64, 64),
}
print(json.dumps(answers, separators=(",", ":")))
