"""Writes the files of the tests as PyTorch and safetensors do, without either:

    python3 write.py

The formats are those of torch/serialization.py and of safetensors' README. The
values of each tensor are their own indices in row-major order.
"""

import collections
import io
import json
import pickle
import struct
import sys
import types
import zipfile

torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")


def named(module, name):
    """Something that pickles as a name of a module."""
    made = type(name, (), {"__module__": module.__name__, "__qualname__": name})
    setattr(module, name, made)
    return made


sys.modules |= {"torch": torch, "torch._utils": utils}
FLOAT, HALF, LONG = (named(torch, name) for name in ("FloatStorage", "HalfStorage", "LongStorage"))
REBUILD, PARAMETER = named(utils, "_rebuild_tensor_v2"), named(utils, "_rebuild_parameter")
FORMATS = {FLOAT: "f", HALF: "e", LONG: "q"}


class Storage:
    def __init__(self, kind, key, values):
        self.kind, self.key, self.values = kind, key, values

    def bytes(self):
        return struct.pack(f"<{len(self.values)}{FORMATS[self.kind]}", *self.values)


class Tensor:
    def __init__(self, storage, offset, shape, strides, parameter=False):
        self.call = (REBUILD, (storage, offset, shape, strides, False, collections.OrderedDict()))
        if parameter:
            self.call = (PARAMETER, (Tensor(storage, offset, shape, strides), True, collections.OrderedDict()))

    def __reduce__(self):
        return self.call


class Pickler(pickle.Pickler):
    def __init__(self, file, legacy):
        super().__init__(file, 2)
        self.legacy = legacy

    def persistent_id(self, value):
        if isinstance(value, Storage):
            known = ("storage", value.kind, value.key, "cpu", len(value.values))
            return known + (None,) if self.legacy else known
        return None


def pickled(value, legacy):
    out = io.BytesIO()
    Pickler(out, legacy).dump(value)
    return out.getvalue()


shared = Storage(FLOAT, "0", [float(i) for i in range(12)])
half = Storage(HALF, "1", [0.0, 1.0, 2.0])
count = Storage(LONG, "2", [0])
state = collections.OrderedDict(
    [
        ("conv.weight", Tensor(shared, 0, (2, 3), (3, 1), parameter=True)),
        # The second half of the storage, [3, 2] as it lies, seen as [2, 3].
        ("fc.weight", Tensor(shared, 6, (2, 3), (1, 2))),
        ("bn.running_mean", Tensor(half, 0, (3,), (1,))),
        ("bn.num_batches_tracked", Tensor(count, 0, (), ())),
    ]
)
state._metadata = collections.OrderedDict([("", {"version": 1})])
storages = [shared, half, count]


def legacy(path, value):
    machine = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    with open(path, "wb") as out:
        for head in (0x1950A86A20F9469CFC6C, 1001, machine):
            pickle.dump(head, out, 2)
        out.write(pickled(value, True))
        pickle.dump([s.key for s in storages], out, 2)
        for s in storages:
            out.write(struct.pack("<q", len(s.values)) + s.bytes())


def zipped(path, value):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as out:
        for name, content in [("data.pkl", pickled(value, False)), ("byteorder", b"little")] + [(f"data/{s.key}", s.bytes()) for s in storages]:
            out.writestr(zipfile.ZipInfo(f"archive/{name}"), content)


def safetensors(path):
    parts = [("fc.weight", "F32", [2, 3], struct.pack("<6f", *range(6))), ("fc.bias", "BF16", [2], struct.pack("<2H", 0, 0x3F80))]
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, kind, shape, content in parts:
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + len(content)]}
        at += len(content)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + b"".join(p[3] for p in parts))


class Evil:
    def __reduce__(self):
        import os

        return os.system, ("touch pwned",)


legacy("legacy.pth", state)
zipped("zip.pth", state)
zipped("checkpoint.pth", {"epoch": 3, "model": state})
zipped("module.pth", {"state_dict": state, "model": state})
zipped("evil.pth", {"weight": Evil()})
safetensors("fc.safetensors")
