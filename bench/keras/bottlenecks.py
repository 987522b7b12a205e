"""Keras's side of bench/bottlenecks.

    python bottlenecks.py WEIGHTS PHOTOGRAPHS BATCH

For each line on stdin: predict the pooled features of every photograph, read
again from its file, and print the time in seconds and the first photograph's
features.
"""
import json
import sys
import time

import keras
import tensorflow as tf

weights, photographs, batch = sys.argv[1:]
size = (224, 224)
base = keras.applications.ResNet50(weights=weights, include_top=False, input_shape=size + (3,))
inputs = keras.Input(shape=size + (3,))
x = keras.applications.resnet50.preprocess_input(inputs)
x = base(x, training=False)
model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
dataset = keras.utils.image_dataset_from_directory(
    photographs, labels=None, image_size=size, batch_size=int(batch), shuffle=False, verbose=False)
dataset = dataset.prefetch(tf.data.AUTOTUNE)

for _ in sys.stdin:
    start = time.perf_counter()
    features = model.predict(dataset, verbose=0)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "images": len(features), "first": features[0].tolist()}), flush=True)
