package architectures_test

import (
	"fmt"

	"tkit/architectures"
)

func ExampleLookup() {
	resnet, err := architectures.Lookup("resnet20-cifar")
	if err != nil {
		fmt.Println(err)
		return
	}
	g, err := resnet.Build(5, [3]int{32, 32, 1}) // five classes of grey images
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range g.Table() {
		fmt.Printf("%-8s %-9v %-22s %6d\n", e.Name, e.Output, e.Operation, e.Trainable)
	}
	// Output:
	// conv1    32×32×16  3×3/1, 16                 176
	// conv2_x  32×32×16  [3×3, 16; 3×3, 16] × 3  14016
	// conv3_x  16×16×32  [3×3, 32; 3×3, 32] × 3  51072
	// conv4_x  8×8×64    [3×3, 64; 3×3, 64] × 3 203520
	// pool     64        global average              0
	// fc       5         5-d fc                    325
}
