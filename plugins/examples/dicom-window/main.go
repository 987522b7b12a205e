// Command dicom-window is a plugin of tkit that shows images of up to 16 bits
// through a window of 8, as a viewer of radiographs does.
package main

import "tkit/plugins"

func main() { plugins.Serve(window{}) }
