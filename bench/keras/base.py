"""Creates the base of the benchmarks: ResNet-50 as a SavedModel and as weights.

    python base.py FOLDER PHOTOGRAPHS

FOLDER/saved_model is Keras's export of the whole network, and
FOLDER/notop.weights.h5 contains the same weights without the classifier's, for
keras.applications.ResNet50(include_top=False). The kernels have Keras's random
initial values. Two measures make the features useful without training: the
statistics of batch normalisation are taken from the photographs, and the last
batch normalisation of each unit has a small scale, so that its shortcut carries
most of the signal (Goyal et al. 2017, arXiv:1706.02677, section 5.1, begin
training with that).
"""
import sys

import keras
import numpy as np

folder, photographs = sys.argv[1:]
keras.utils.set_random_seed(1)
model = keras.applications.ResNet50(weights=None)

sample = keras.utils.image_dataset_from_directory(
    photographs, labels=None, image_size=(224, 224), batch_size=32, seed=1, shuffle=True, verbose=False)
images = keras.applications.resnet50.preprocess_input(next(iter(sample)).numpy())
norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
momenta = [layer.momentum for layer in norms]
for layer in norms:
    if layer.name.endswith("_3_bn"):
        layer.gamma.assign(np.full(layer.gamma.shape, 0.2, np.float32))
    layer.momentum = 0.0  # the statistics become those of this batch
model(images, training=True)
for layer, momentum in zip(norms, momenta):
    layer.momentum = momentum
    layer.moving_variance.assign(np.maximum(layer.moving_variance.numpy(), 1e-3))

notop = keras.applications.ResNet50(weights=None, include_top=False, input_shape=(224, 224, 3))
for layer, whole in zip(notop.layers, model.layers):
    layer.set_weights(whole.get_weights())
notop.save_weights(folder + "/notop.weights.h5")
model.export(folder + "/saved_model", format="tf_saved_model", verbose=False)
