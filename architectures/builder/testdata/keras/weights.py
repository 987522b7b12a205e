"""The weights of one case, as the Go test wrote them."""

import json
import pathlib

import numpy as np


class Weights:
    """Arrays by name. Each must be taken exactly once, so that the two sides agree on the list."""

    def __init__(self, folder: pathlib.Path):
        raw = np.fromfile(folder / "weights.bin", "<f4")
        self._arrays, offset = {}, 0
        for entry in json.loads((folder / "weights.json").read_text()):
            size = int(np.prod(entry["shape"]))
            self._arrays[entry["name"]] = raw[offset : offset + size].reshape(entry["shape"])
            offset += size

    def take(self, name: str) -> np.ndarray:
        return self._arrays.pop(name)

    def left(self) -> list[str]:
        return sorted(self._arrays)
