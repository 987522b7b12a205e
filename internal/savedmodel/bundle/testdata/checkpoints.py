"""Reads the checkpoint that the Go test has written at DIR/ours and writes
DIR/whole, DIR/sliced and DIR/merged for it to read. Tensors hold 0, 1, 2, ..."""

import sys

import numpy as np
import tensorflow as tf

directory = sys.argv[1]


def counting(dtype, shape):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def check_ours():
    reader = tf.train.load_checkpoint(directory + "/ours")
    shapes = reader.get_variable_to_shape_map()
    types = reader.get_variable_to_dtype_map()
    assert len(shapes) == 2004, len(shapes)
    for i in range(2000):
        assert reader.get_tensor(f"many/{i:04d}").tolist() == [i]
    for name, dtype, shape in [("a/float", tf.float32, [3, 4]), ("half", tf.bfloat16, [5]), ("scalar", tf.int64, [])]:
        assert types[name] == dtype and shapes[name] == shape, (name, types[name], shapes[name])
        got = tf.raw_ops.RestoreV2(prefix=directory + "/ours", tensor_names=[name], shape_and_slices=[""], dtypes=[dtype])[0]
        want = counting(np.float32, shape)
        assert np.array_equal(tf.cast(got, tf.float32).numpy(), want), (name, got)
    part = tf.raw_ops.RestoreV2(prefix=directory + "/ours", tensor_names=["a/float"], shape_and_slices=["3 4 1,2:0,3"], dtypes=[tf.float32])[0]
    assert part.numpy().tolist() == [[4, 5, 6], [8, 9, 10]], part
    assert reader.get_tensor("strings").tolist() == [[b"one", b""], [b"a\x00b", b"x" * 300]]


def save(prefix, names, slices, tensors):
    tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=slices, tensors=tensors)


def write_theirs():
    names, tensors = [], []
    for dtype in [np.float32, np.float64, np.float16, np.int8, np.uint8, np.int16, np.int32, np.int64, np.bool_, np.complex64]:
        names.append("type/" + np.dtype(dtype).name)
        tensors.append(tf.constant(counting(dtype, (2, 3))))
    names += ["type/bfloat16", "empty", "scalar", "strings"]
    tensors += [tf.cast(counting(np.float32, (2, 3)), tf.bfloat16), tf.zeros((0, 4)), tf.constant(7.0),
                tf.constant([b"one", b"a\x00b", b"x" * 300])]
    names += [f"many/{i:05d}" for i in range(5000)]  # several blocks of index
    tensors += [tf.constant(float(i)) for i in range(5000)]
    save(directory + "/whole", names, [""] * len(names), tensors)

    full = counting(np.float32, (70, 300))
    pieces = [("70 300 0,5:-", full[:5]), ("70 300 5,65:0,130", full[5:, :130]), ("70 300 5,65:130,170", full[5:, 130:])]
    save(directory + "/sliced", ["w\xff"] * 3 + ["plain"], [p[0] for p in pieces] + [""],
         [tf.constant(p[1]) for p in pieces] + [tf.constant(1.0)])

    save(directory + "/one", ["first"], [""], [tf.constant(counting(np.float32, (6,)))])
    save(directory + "/two", ["second"], [""], [tf.constant(counting(np.int32, (3, 2)))])
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=[directory + "/one", directory + "/two"], destination_prefix=directory + "/merged")


check_ours()
write_theirs()
