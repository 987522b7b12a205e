"""Makes digits.bin.bz2 from the copy of the data that scikit-learn carries.

    python make.py

The result, once decompressed, is 1,797 labels (a byte each, 0 to 9) and then
1,797 images of 8 rows of 8 grey levels (a byte each, 0 to 16), in the order of
the original file.
"""

import bz2
import pathlib

import numpy
import sklearn.datasets

digits = sklearn.datasets.load_digits()
labels = digits.target.astype(numpy.uint8)
images = digits.images.astype(numpy.uint8)
assert labels.shape == (1797,) and images.shape == (1797, 8, 8)
assert (images == digits.images).all() and images.max() == 16

target = pathlib.Path(__file__).with_name("digits.bin.bz2")
target.write_bytes(bz2.compress(labels.tobytes() + images.tobytes(), 9))
print(f"{target.name}: {target.stat().st_size} bytes")
