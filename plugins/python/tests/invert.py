"""A preprocessor that does what its configuration says."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from tkit_plugins import Batch, Context, Description, Form, ImageError, Kind, Preprocessor, serve


class Invert(Preprocessor):
    def describe(self) -> Description:
        return Description("invert", "1.2.3", takes=Form(Kind.UINT8), gives=Form(Kind.UINT8), config_schema={"type": "object"})

    def process(self, batch: Batch, config: Mapping[str, Any], context: Context) -> Batch:
        batch = np.asarray(batch)
        match config.get("do"):
            case "itself":
                return batch[1:]
            case "blame":
                raise ImageError(1, "too dark")
            case "raise":
                raise KeyError("nothing there")
            case "float":
                return batch / 2  # of float64
            case "exit":
                sys.exit(3)
            case "print":
                print("printed for a batch")
            case "wait":
                while context.is_active():
                    time.sleep(0.005)
                print("given up", flush=True)
        return 255 - batch


if __name__ == "__main__":
    serve(Invert())
