// Command dicom-window is a plugin of tkit that displays 16-bit images through
// an 8-bit window, like a viewer of radiographs.
package main

import "tkit/plugins"

func main() { plugins.Serve(window{}) }
