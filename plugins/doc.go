// Package plugins is the SDK for preprocessors. A preprocessor is a separate
// program that tkit starts, feeds with batches of images and ends. It consists
// of two methods and a call:
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
// `tkit plugins new` creates such a program with its tests. The package needs
// neither cgo nor TensorFlow. plugins/host runs the program, and
// plugins/preprocesstest tests its contract.
package plugins
