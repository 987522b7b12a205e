// Package serve keeps the versions that the registry asks for loaded and
// answers questions about images with them.
//
// Its nouns are those of TensorFlow Serving's architecture:
//
//   - A [Source] says which versions are wanted now and where their parts lie.
//   - A [Servable] is one loaded version: preprocessing, trunk, head, labels.
//   - A [Loader] makes a servable from a version; trunks and preprocessing
//     pipelines that several versions use are loaded once and counted.
//   - A [VersionPolicy] decides, from states alone, what to load and what to
//     unload next.
//   - The [Manager] acts on those decisions, routes requests to servables and
//     swaps them without failing a request.
//   - A [Batcher] stands before each trunk: rows of requests for different
//     models ride through it in one batch.
//
// The front ends are packages of their own: rest and rpc; server runs them.
package serve
