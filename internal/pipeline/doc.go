// Package pipeline turns encoded images into input tensors. A [Pipeline] is a
// preprocessing compiled into a TensorFlow graph, with plugins in between.
// Training and serving use the same one, so that no second decoder or resize can
// differ from it. [NewInGraph] makes the same steps part of an exported graph.
package pipeline
