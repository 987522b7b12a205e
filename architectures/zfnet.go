package architectures

import "tkit/internal/preprocessing"

const zfNetCitation = "M. D. Zeiler, R. Fergus: Visualizing and Understanding Convolutional Networks. ECCV 2014, arXiv:1311.2901"

func zfNets() []Architecture {
	return trainedAt(0.01, // §3.1
		define("zfnet", "ZF Net", zfNetCitation, [3]int{224, 224, 3}, 1000, preprocessing.Caffe, zfNet.build),
	)
}

// zfNet is the network of the paper's Figure 3: AlexNet ungrouped, with a
// smaller first filter and stride. Its pools complete a last partial window,
// or 110 would pool to 54 and not to the paper's 55. Response normalisation
// stands for the paper's contrast normalisation, behind the pools.
var zfNet = convStack{normaliseLast: true, pool: Square(3, 2, Ceil), convs: [5]convRow{
	{96, 7, 2, 1, 1, 0, true, true},
	{256, 5, 2, 0, 1, 0, true, true},
	{384, 3, 1, 1, 1, 0, false, false},
	{384, 3, 1, 1, 1, 0, false, false},
	{256, 3, 1, 1, 1, 0, false, true},
}}
