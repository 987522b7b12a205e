// Command saliency-crop is a plugin of tkit that cuts images down to what
// stands out from their background.
package main

import "tkit/plugins"

func main() { plugins.Serve(crop{}) }
