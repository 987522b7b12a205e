// Package plugins is what the author of a preprocessor builds on. A preprocessor
// is a program of its own that tkit starts, feeds with batches of images and
// ends; it is written as two methods and a call:
//
//	type invert struct{}
//
//	func (invert) Describe() plugins.Description {
//		pixels := plugins.Form{Kind: plugins.Uint8}
//		return plugins.Description{Name: "invert", Version: "1.0.0", Takes: pixels, Gives: pixels, Deterministic: true}
//	}
//
//	func (invert) Process(ctx context.Context, config json.RawMessage, in plugins.Batch) (plugins.Batch, error) {
//		out := plugins.NewBatch(in.Kind, in.Count, in.Shape)
//		for i, v := range in.Uint8 {
//			out.Uint8[i] = 255 - v
//		}
//		return out, nil
//	}
//
//	func main() { plugins.Serve(invert{}) }
//
// `tkit plugins new` writes such a program with its tests. The package needs
// neither cgo nor TensorFlow. What runs the program is plugins/host; what it
// must hold to is tested by plugins/preprocesstest.
package plugins
