// Command saliency-crop is a plugin of tkit that crops images to their salient
// region.
package main

import "tkit/plugins"

func main() { plugins.Serve(crop{}) }
