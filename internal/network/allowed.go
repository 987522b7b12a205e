package network

import (
	"fmt"
	"strings"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
)

// allowed lists the operations of TensorFlow 2.18 that a network may contain. A
// model is an untrusted program, and only operations listed here reach
// TensorFlow. Not listed are: files, networks, processes, tables, counters,
// debuggers, summaries, Python, functions, random numbers, and operations that
// only TensorFlow's optimizers create.
//
// A listed operation computes its outputs only from its inputs and attributes.
// Before adding one, read its kernel: the registry's "stateful" flag does not
// cover files (ReadFile, GenerateVocabRemapping and DecodeProtoV2 lack it),
// shared memory (ImmutableConst) or writing to an input (InplaceUpdate).
var allowed = operations(`
	Const Placeholder VarHandleOp ReadVariableOp NoOp

	Identity IdentityN StopGradient PreventGradient Snapshot PlaceholderWithDefault EnsureShape
	CheckNumerics CheckNumericsV2

	Switch Merge Enter Exit NextIteration LoopCond ControlTrigger
	TensorArrayV3 TensorArrayReadV3 TensorArrayWriteV3 TensorArrayGatherV3 TensorArrayScatterV3
	TensorArrayConcatV3 TensorArraySplitV3 TensorArraySizeV3
	EmptyTensorList TensorListReserve TensorListFromTensor TensorListGetItem TensorListSetItem
	TensorListPushBack TensorListPopBack TensorListLength TensorListResize TensorListElementShape
	TensorListStack TensorListGather TensorListScatterV2 TensorListConcatV2 TensorListSplit
`, `
	Abs AccumulateNV2 Add AddN AddV2 ApproximateEqual BiasAdd BiasAddV1 Cast Ceil ClipByValue Cross Cumprod
	Cumsum CumulativeLogsumexp Div DivNoNan Exp Expm1 Floor FloorDiv FloorMod Inv Log Log1p Maximum Minimum
	Mod Mul MulNoNan Neg NextAfter Pow RealDiv Reciprocal Rint Round Rsqrt Sign Sqrt Square
	SquaredDifference Sub TruncateDiv TruncateMod Xdivy Xlog1py Xlogy

	Acos Acosh Asin Asinh Atan Atan2 Atanh Cos Cosh Sin Sinh Tan Tanh
	BesselI0 BesselI0e BesselI1 BesselI1e BesselJ0 BesselJ1 BesselK0 BesselK0e BesselK1 BesselK1e BesselY0
	BesselY1 Betainc Dawsn Digamma Erf Erfc Erfinv Expint FresnelCos FresnelSin Igamma Igammac Lgamma Ndtri
	Polygamma Spence Zeta

	Equal Greater GreaterEqual IsFinite IsInf IsNan Less LessEqual LogicalAnd LogicalNot LogicalOr NotEqual
	Select SelectV2
	BitwiseAnd BitwiseOr BitwiseXor Invert LeftShift PopulationCount RightShift
	Angle Complex ComplexAbs Conj Imag Real

	All Any ArgMax ArgMin EuclideanNorm L2Loss Max Mean Min Prod Sum
	SegmentMax SegmentMaxV2 SegmentMean SegmentMin SegmentMinV2 SegmentProd SegmentProdV2 SegmentSum
	SegmentSumV2 UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum
	Bincount Bucketize DenseBincount HistogramFixedWidth
`, `
	BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum MatMul SparseMatMul
	Cholesky Diag DiagPart LogMatrixDeterminant Lu MatrixBandPart MatrixDeterminant MatrixDiag MatrixDiagPart
	MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixExponential MatrixInverse
	MatrixLogarithm MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 MatrixSolve MatrixSolveLs MatrixSquareRoot
	MatrixTriangularSolve Qr SelfAdjointEigV2 Svd TridiagonalMatMul TridiagonalSolve
	FFT FFT2D FFT3D FFTND IFFT IFFT2D IFFT3D IFFTND IRFFT IRFFT2D IRFFT3D IRFFTND RFFT RFFT2D RFFT3D RFFTND
`, `
	AvgPool AvgPool3D Conv Conv2D Conv2DBackpropInput Conv2DBackpropInputV2 Conv3D Conv3DBackpropInput
	Conv3DBackpropInputV2 DepthwiseConv2dNative DepthwiseConv2dNativeBackpropInput Dilation2D FusedPadConv2D
	FusedResizeAndPadConv2D MaxPool MaxPool3D MaxPoolV2 MaxPoolWithArgmax
	BatchNormWithGlobalNormalization FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 LRN
	Elu LeakyRelu LogSoftmax Relu Relu6 Selu Sigmoid Softmax Softplus Softsign
	ApproxTopK InTopK InTopKV2 NthElement TopK TopKV2
	SoftmaxCrossEntropyWithLogits SparseSoftmaxCrossEntropyWithLogits
	BlockLSTM BlockLSTMV2 GRUBlockCell LSTMBlockCell
`, `
	BatchToSpace BatchToSpaceND Bitcast BroadcastArgs BroadcastGradientArgs BroadcastTo Concat ConcatOffset
	ConcatV2 DepthToSpace DynamicPartition DynamicStitch ExpandDims Fill Gather GatherNd GatherV2
	InvertPermutation LinSpace ListDiff LowerBound MirrorPad OneHot OnesLike Pack Pad PadV2
	ParallelDynamicStitch Range Rank Reshape Reverse ReverseSequence ReverseV2 Roll ScatterNd Shape ShapeN
	Size Slice SpaceToBatch SpaceToBatchND SpaceToDepth Split SplitV Squeeze StridedSlice TensorScatterAdd
	TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate TensorStridedSliceUpdate Tile
	Transpose ConjugateTranspose Unique UniqueV2 UniqueWithCounts UniqueWithCountsV2 Unpack UnravelIndex
	UpperBound Where ZerosLike DataFormatDimMap DataFormatVecPermute
	RaggedGather RaggedRange RaggedTensorToSparse RaggedTensorToTensor
	SparseAdd SparseConcat SparseFillEmptyRows SparseReorder SparseReshape SparseSegmentMean SparseSegmentSqrtN
	SparseSegmentSum SparseSlice SparseSoftmax SparseSplit SparseTensorDenseAdd SparseTensorDenseMatMul
	SparseToDense
`, `
	AdjustContrast AdjustContrastv2 AdjustSaturation CombinedNonMaxSuppression CropAndResize
	DrawBoundingBoxes DrawBoundingBoxesV2 ExtractGlimpseV2 ExtractImagePatches ExtractVolumePatches
	GenerateBoundingBoxProposals HSVToRGB ImageProjectiveTransformV2 ImageProjectiveTransformV3
	NonMaxSuppression NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5
	NonMaxSuppressionWithOverlaps RGBToHSV ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor
	ScaleAndTranslate
`, `
	Dequantize FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel
	QuantizeAndDequantize QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4
	QuantizeDownAndShrinkRange QuantizeV2 QuantizedAdd QuantizedAvgPool
	QuantizedBatchNormWithGlobalNormalization QuantizedBiasAdd QuantizedConcat QuantizedConcatV2
	QuantizedConv2D QuantizedInstanceNorm QuantizedMatMul QuantizedMaxPool QuantizedMul QuantizedRelu
	QuantizedRelu6 QuantizedReluX QuantizedReshape QuantizedResizeBilinear RequantizationRange
	RequantizationRangePerChannel Requantize RequantizePerChannel UniformDequantize UniformQuantize
	UniformQuantizedAdd UniformQuantizedClipByValue UniformQuantizedConvolution
	UniformQuantizedConvolutionHybrid UniformQuantizedDot UniformQuantizedDotHybrid UniformRequantize
`)

// refusals gives the reason why known operations are not allowed, by prefixes
// of their names. The first match counts.
var refusals = []struct{ prefixes, why string }{
	{"PyFunc EagerPyFunc", "runs Python"},
	{"If StatelessIf Case StatelessCase", "branches on a value known only at run time"},
	{"While StatelessWhile For Scan MapDefun", "loops over functions"},
	{"PartitionedCall StatefulPartitionedCall", "calls a function at run time"},
	{"SymbolicGradient", "computes a gradient"},
	{"RemoteCall Send _Send Recv _Recv _Host Collective Nccl Rpc", "talks to another machine or device"},
	{"Random StatelessRandom StatelessTruncated StatelessMultinomial StatelessShuffle StatelessSample Multinomial " +
		"TruncatedNormal ParameterizedTruncated StatefulRandom StatefulStandard StatefulTruncated StatefulUniform RngSkip RngReadAndSkip",
		"draws random numbers"},
	{"HashTable MutableHashTable MutableDenseHashTable LookupTable InitializeTable Iterator AnonymousIterator OneShotIterator " +
		"Queue FIFOQueue Barrier Stack Stage", "keeps state other than variables, such as a table or an iterator"},
	{"Variable TemporaryVariable AutoReloadVariable Assign Scatter Resource Apply Destroy", "keeps or changes state other than the weights"},
	{"ReadFile WriteFile MatchingFiles WholeFile TFRecord TextLine FixedLength Save Restore MergeV2Checkpoints ImmutableConst GenerateVocab",
		"reads or writes files"},
	{"Debug Print Assert Copy AudioSummary ImageSummary ScalarSummary HistogramSummary TensorSummary MergeSummary WriteSummary WriteScalar",
		"prints, records or checks instead of computing"},
	{"Decode Encode Parse Serialize Deserialize Substr String Regex StaticRegex Unicode AsString Reduce Join",
		"works on strings or encoded data, but a network takes decoded images"},
}

func operations(groups ...string) map[string]bool {
	return set(strings.Fields(strings.Join(groups, " "))...)
}

// CheckOperation returns an error unless a plain network may contain the node:
// its operation is pure, it calls no function, and it requests no device. It
// does not check the node's edges.
func CheckOperation(node *nodepb.NodeDef) error {
	if why := refusal(node); why != "" {
		return fmt.Errorf("node %q is a %s, which is not allowed in a network: it %s; save the model without it", node.GetName(), node.GetOp(), why)
	}
	return nil
}

func refusal(node *nodepb.NodeDef) string {
	if op := node.GetOp(); !allowed[op] {
		for _, r := range refusals {
			for _, prefix := range strings.Fields(r.prefixes) {
				if strings.HasPrefix(op, prefix) {
					return r.why
				}
			}
		}
		return "is not in the list of operations known to be pure"
	}
	for _, v := range node.GetAttr() {
		if v.GetFunc() != nil || len(v.GetList().GetFunc()) > 0 {
			return "calls a function at run time"
		}
	}
	return ""
}
