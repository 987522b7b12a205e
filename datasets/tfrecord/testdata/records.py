"""Writes record files as TensorFlow's users have them, and reads one.

records.py FOLDER FILE PICTURE...: writes into FOLDER, of pictures in
hexadecimal, and prints label, name and picture of each record of FILE.
"""
import os
import sys

import tensorflow as tf


def feature(v):
    if isinstance(v, int):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[v]))
    if isinstance(v, list):
        return tf.train.Feature(float_list=tf.train.FloatList(value=v))
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[v if isinstance(v, bytes) else v.encode()]))


def write(name, *examples, options=None):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with tf.io.TFRecordWriter(path, options) as w:
        for e in examples:
            e = {k: feature(v) for k, v in e.items()}
            w.write(tf.train.Example(features=tf.train.Features(feature=e)).SerializeToString())


folder, ours = sys.argv[1:3]
picture = [bytes.fromhex(p) for p in sys.argv[3:]]
for record in tf.data.TFRecordDataset(ours).as_numpy_iterator():
    f = tf.train.Example.FromString(record).features.feature
    label, name, image = (f[k].bytes_list.value[0] for k in ("image/class/text", "image/filename", "image/encoded"))
    print(label.decode(), name.decode(), image.hex())

write("slim/train-00000-of-00002",
      {"image/encoded": picture[1], "image/class/label": 1, "image/class/text": "fish", "image/filename": "n01/x.png",
       "image/height": 2, "image/object/bbox/xmin": [0.5, 0.25]},
      {"image/encoded": picture[2], "image/class/text": "bird", "image/filename": "/home/writer/x.png"})
write("slim/train-00001-of-00002", {"image/encoded": picture[3], "image/class/label": 7})
write("tfds/digits-test.tfrecord-00000-of-00001", {"image": picture[4], "label": 4}, {"image": picture[5], "label": -1})
open(os.path.join(folder, "tfds", "dataset_info.json"), "w").close()
write("own/own.tfrecord", {"jpeg": picture[6], "species": "cat", "patient": "patient-3", "side": "val", "image": b"another"})
write("zipped/x.tfrecord", {"image": picture[7], "label": 7}, options="GZIP")
