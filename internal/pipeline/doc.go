// Package pipeline turns encoded images into input tensors. A [Pipeline] is a
// preprocessing compiled into a TensorFlow graph, with plugins in between.
// Training and serving use the same one, so that decoding and resizing cannot
// differ. [NewInGraph] adds the same steps to an exported graph.
package pipeline
