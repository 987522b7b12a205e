package architectures

import "tkit/internal/preprocessing"

const zfNetCitation = "M. D. Zeiler, R. Fergus: Visualizing and Understanding Convolutional Networks. ECCV 2014, arXiv:1311.2901"

func zfNets() []Architecture {
	return trainedAt(0.01, // §3.1
		define("zfnet", "ZF Net", zfNetCitation, [3]int{224, 224, 3}, 1000, preprocessing.Caffe, zfNet.build),
	)
}

// zfNet is the network in Figure 3 of the paper: AlexNet ungrouped, with a
// smaller first filter and stride. Its pools complete a last partial window;
// otherwise 110 would pool to 54 instead of the paper's 55. Response
// normalisation after the pools replaces the paper's contrast normalisation.
var zfNet = convStack{normaliseLast: true, pool: Square(3, 2, Ceil), convs: [5]convRow{
	{96, 7, 2, 1, 1, 0, true, true},
	{256, 5, 2, 0, 1, 0, true, true},
	{384, 3, 1, 1, 1, 0, false, false},
	{384, 3, 1, 1, 1, 0, false, false},
	{256, 3, 1, 1, 1, 0, false, true},
}}
