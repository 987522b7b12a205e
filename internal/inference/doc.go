// Package inference is the one way from encoded images to answers, which
// training, serving and ingestion share:
//
//	bytes → Pipeline → tensor → Trunk → bottleneck → Head → probabilities
//
// A [Pipeline] follows a version's own preprocessing, so that no second decoder
// or resize can drift from it. An [Extractor] runs many images as fast as the
// trunk goes; a [Classifier] answers for a few.
package inference
