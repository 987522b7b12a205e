// Package inference keeps versions loaded and answers with them. It is the one way
// from encoded images to labels, which serving, prediction, evaluation and the
// extraction of bottlenecks share:
//
//	bytes → pipeline → tensor → Trunk → bottleneck → Head → probabilities
//
// Its nouns are those of TensorFlow Serving's architecture:
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
// A [Stream] takes many images in order, in batches of its own, as fast as the
// trunk goes.
package inference
