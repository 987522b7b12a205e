"""Writes weights as PyTorch and safetensors write them, compressed, and the logits of
the original networks for an image. Needs torch, torchvision, timm and safetensors:

    python3 write.py

The values of each tensor repeat a short sequence, so that the compressed files are
small. Gzip's time is fixed, so that the same networks give the same files.
"""

import gzip
import io
import json
import math
import pathlib

import numpy as np
import safetensors.torch
import timm
import torch
import torchvision

PERIOD = 251  # a prime: no two channels get the same values
CLASSES = 7
SIDE = 224
HERE = pathlib.Path(__file__).parent


def fill(state):
    for i, (name, value) in enumerate(state.items()):
        if name.endswith("num_batches_tracked"):
            continue
        u = np.resize(np.random.default_rng(i).integers(0, 256, PERIOD).astype(np.float32) / 256, value.numel()).reshape(tuple(value.shape))
        if u.ndim > 1:
            u = (2 * u - 1) * np.float32(math.sqrt(6 / math.prod(u.shape[1:])))
        elif name.endswith("running_var") or name.endswith("weight"):
            u = np.float32(0.75) + u / 2
        else:
            u = (u - np.float32(0.5)) / 5
        value.copy_(torch.from_numpy(np.ascontiguousarray(u)))


def legacy(state, file):
    torch.save(state, file, _use_new_zipfile_serialization=False)


models = {
    "resnet18": torchvision.models.resnet18(weights=None, num_classes=CLASSES),
    "efficientnet-lite0": timm.create_model("tf_efficientnet_lite0", num_classes=CLASSES),
}
# The image of the test: the values of a pixel follow from its place alone.
place = np.arange(3 * SIDE * SIDE, dtype=np.int64).reshape(SIDE, SIDE, 3)
image = torch.from_numpy((place * 7919 % 256 / np.float32(127.5) - 1).astype(np.float32).transpose(2, 0, 1)[None].copy())
logits = {}
for name, model in models.items():
    state = model.state_dict()
    fill(state)
    with torch.no_grad():
        logits[name] = model.eval()(image)[0].tolist()
    for ending, write in {
        "zip.pth": torch.save,
        "legacy.pth": legacy,
        "safetensors": lambda s, f: f.write(safetensors.torch.save({k: v.contiguous() for k, v in s.items()})),
    }.items():
        raw = io.BytesIO()
        write(state, raw)
        (HERE / f"{name}.{ending}.gz").write_bytes(gzip.compress(raw.getvalue(), 9, mtime=0))
(HERE / "logits.json").write_text(json.dumps(logits, indent=1) + "\n")
