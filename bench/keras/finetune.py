"""The recipe of Keras's guide "Transfer learning & fine-tuning", first part.

    python finetune.py WEIGHTS TRAIN TEST EPOCHS

A frozen base, pooling, dropout and a dense layer, trained by Adam on the folder
TRAIN and validated after each epoch on the folder TEST. As in the guide, decoded
images are cached in memory. Prints the last epoch's validation accuracy.
"""
import json
import sys

import keras
import tensorflow as tf

weights, train, test, epochs = sys.argv[1:]
size = (224, 224)
keras.utils.set_random_seed(1)


def images(folder, shuffle):
    dataset = keras.utils.image_dataset_from_directory(
        folder, label_mode="int", image_size=size, batch_size=32, seed=1, shuffle=shuffle, verbose=False)
    return dataset, dataset.cache().prefetch(tf.data.AUTOTUNE)


train, train_images = images(train, True)
_, test_images = images(test, False)

base = keras.applications.ResNet50(weights=weights, include_top=False, input_shape=size + (3,))
base.trainable = False
inputs = keras.Input(shape=size + (3,))
x = keras.applications.resnet50.preprocess_input(inputs)
x = base(x, training=False)
x = keras.layers.GlobalAveragePooling2D()(x)
x = keras.layers.Dropout(0.2)(x)
model = keras.Model(inputs, keras.layers.Dense(len(train.class_names))(x))
model.compile(
    optimizer=keras.optimizers.Adam(),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"])
history = model.fit(train_images, epochs=int(epochs), validation_data=test_images, verbose=2 if sys.stderr.isatty() else 0)
print(json.dumps({"accuracy": history.history["val_accuracy"][-1]}), flush=True)
