// Package inference loads versions and computes their predictions. Serving,
// prediction, evaluation and the extraction of bottlenecks all use its one path
// from encoded images to labels:
//
//	bytes → pipeline → tensor → Trunk → bottleneck → Head → probabilities
//
// Its terms are those of TensorFlow Serving's architecture:
//
//   - A [Source] says which versions are wanted now and where their parts are.
//   - A [Servable] is one loaded version, of whatever kind; a [Handle] counts its
//     users.
//   - A [Loader] makes a servable of a version. Trunks and pipelines that several
//     versions use are loaded once and counted.
//   - A [VersionPolicy] decides, from states alone, what to load and what to
//     unload next.
//   - The [Manager] acts on those decisions, routes requests to servables and
//     swaps them without failing a request.
//   - A [Batcher] stands before each trunk: rows of requests for different
//     models share a batch.
//
// A [Stream] processes many images in order, in its own batches, at the full
// speed of the trunk.
package inference
