"""A plugin with the faults that a host must survive: faults at start are selected by
FAULT in its environment, the others by "do" in its configuration."""

import concurrent.futures
import multiprocessing
import os
import sys
import threading
import time

import numpy as np

from tkit_plugins import Description, Form, ImageError, Kind, Preprocessor

match os.environ.get("FAULT"):
    case "print":
        print("printed while it is imported")
        os.write(1, b"printed by the system call\n")
    case "exit":
        sys.exit("no licence found")
    case "raise":
        raise ImportError("no such library")
    case "hang":
        time.sleep(3600)

KIND = Kind[os.environ.get("KIND", "FLOAT32")]


class Faulty(Preprocessor):
    def __init__(self):
        self.kept = []

    def describe(self):
        form = Form(KIND, -5 if os.environ.get("FAULT") == "form" else 0)
        schema = {"type": "object", "additionalProperties": False, "properties": {"do": {"type": "string"}}}
        name = "Faulty" if os.environ.get("FAULT") == "name" else "faulty-python"
        return Description(name, "1.0.0", takes=form, gives=form, config_schema=schema, deterministic=True)

    def process(self, batch, config, context):
        """Return the input, unless configured otherwise."""
        match config.get("do"):
            case "add":
                return np.asarray(batch) + np.float32(1)
            case "last":
                return batch[-1:]
            case "reverse":
                return batch[:, ::-1]
            case "repeat":
                return np.repeat(batch, 3, axis=1)
            case "nan":
                out = np.array(batch)
                out[-1, 0, 0, 0] = np.nan
                return out
            case "double":
                return np.asarray(batch, np.float64)
            case "write":
                batch[:] = 0
            case "raise":
                raise ValueError("cannot do that")
            case "image":
                raise ImageError(len(batch) - 1, "too dark")
            case "show":
                raise ValueError(f"{sys.flags.isolated} {sys.flags.no_site} {sys.path}")
            case "hang":
                while True:
                    time.sleep(1)
            case "wait":
                while context.is_active():
                    time.sleep(0.005)
            case "exit":
                sys.exit(3)
            case "segfault":
                import ctypes

                ctypes.string_at(0)
            case "leak":
                self.kept.append(np.ones(1 << 29, np.uint8))
            case "thread":
                threading.Thread(target=time.sleep, args=(3600,)).start()
            case "multiprocessing":
                raise ValueError("; ".join(multiprocessing_ways()))
            case "print":
                print("printed by print")
                os.write(1, b"printed by the system call\n")
        return batch


def double(n):
    return 2 * n


def answer_by(pipe):
    pipe.send(double(pipe.recv()))


def multiprocessing_ways():
    """Report for each way of computing in other processes whether it works."""
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)

        def pipe(context=context):
            ours, theirs = context.Pipe()
            process = context.Process(target=answer_by, args=(theirs,), daemon=True)
            process.start()
            theirs.close()  # so that its end is noticed
            ours.send(2)
            answered = ours.recv()
            process.kill()
            process.join()
            return answered

        def pool(context=context):
            with context.Pool(1) as workers:
                return workers.apply_async(double, (2,)).get(10)

        def executor(context=context):
            with concurrent.futures.ProcessPoolExecutor(1, context) as workers:
                return workers.submit(double, 2).result(10)

        def manager(context=context):
            with context.Manager() as m:
                return m.list([4])[0]

        for way in (pipe, pool, executor, manager):
            try:
                result = "works" if way() == 4 else "answers wrongly"
            except Exception as error:
                result = type(error).__name__
            yield f"{way.__name__} by {method}: {result}"
