// Command launcher is the program that tkit carries and starts to confine a
// plugin. It is small and static: tkit itself takes long to load, since it is
// linked to libtensorflow. Package launch, which does the work, takes over
// before main.
package main

import (
	"fmt"
	"os"

	_ "tkit/plugins/internal/launch"
)

func main() {
	fmt.Fprintln(os.Stderr, "launcher: only tkit starts this program")
	os.Exit(2)
}
