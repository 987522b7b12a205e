package network

import (
	"fmt"

	nodepb "github.com/wamuir/graft/tensorflow/core/framework/node_def_go_proto"
)

// served lists the operations that a SavedModel served as a whole may have in
// addition to those of a network: text, encoded records and images, tables
// filled when the model is loaded, random numbers, and functions. As for
// allowed, read the kernel before adding one: none may read or write a file,
// connect to another machine, or change anything visible to the next request.
// EncodePng is not allowed: it aborts the process for an image without pixels.
var served = operations(`
	ResourceGather ResourceGatherNd VarIsInitializedOp VariableShape
	HashTableV2 MutableHashTableV2 LookupTableFindV2 LookupTableSizeV2
	Assert FakeParam ToBool
	If StatelessIf Case StatelessCase While StatelessWhile PartitionedCall StatefulPartitionedCall
`, `
	AsString ReduceJoin RegexFullMatch RegexReplace StaticRegexFullMatch StaticRegexReplace StringFormat StringJoin
	StringLength StringLower StringNGrams StringSplit StringSplitV2 StringStrip StringToHashBucket
	StringToHashBucketFast StringToHashBucketStrong StringToNumber StringUpper Substr UnicodeDecode
	UnicodeDecodeWithOffsets UnicodeEncode UnicodeScript UnicodeTranscode UnsortedSegmentJoin
	DecodeBase64 DecodeCSV DecodeJSONExample DecodePaddedRaw DecodeRaw EncodeBase64
	ParseExample ParseExampleV2 ParseSequenceExample ParseSequenceExampleV2 ParseSingleExample
	ParseSingleSequenceExample ParseTensor SerializeTensor
	AudioSpectrogram DecodeWav Mfcc
	DecodeAndCropJpeg DecodeBmp DecodeGif DecodeImage DecodeJpeg DecodePng EncodeJpeg ExtractJpegShape
`, `
	DenseCountSparseOutput DenseToDenseSetOperation DenseToSparseSetOperation RaggedBincount RaggedCountSparseOutput
	SetSize SparseBincount SparseCountSparseOutput SparseCross SparseCrossHashed SparseCrossV2 SparseDenseCwiseAdd
	SparseDenseCwiseDiv SparseDenseCwiseMul SparseReduceMax SparseReduceSum SparseSegmentMeanWithNumSegments
	SparseSegmentSqrtNWithNumSegments SparseSegmentSumWithNumSegments SparseToSparseSetOperation
	CTCBeamSearchDecoder CTCGreedyDecoder
`, `
	Multinomial RandomGamma RandomPoissonV2 RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt
	TruncatedNormal
	StatelessMultinomial StatelessRandomGetAlg StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg
	StatelessRandomNormal StatelessRandomNormalV2 StatelessRandomUniform StatelessRandomUniformFullInt
	StatelessRandomUniformFullIntV2 StatelessRandomUniformInt StatelessRandomUniformIntV2
	StatelessRandomUniformV2 StatelessTruncatedNormal StatelessTruncatedNormalV2
`)

// CheckServed returns an error unless a SavedModel served as a whole may have
// the node. It does not check the functions called by the node.
func CheckServed(node *nodepb.NodeDef) error {
	if op := node.GetOp(); !allowed[op] && !served[op] {
		return fmt.Errorf("node %q is a %s, which is not served: it %s; save the model without it", node.GetName(), op, refusal(node))
	}
	return nil
}
