package components

// The metadata of an image in a pipeline. Its content is the image itself.
const (
	metaSource      = "tkit_source"      // where it came from, such as its path in the folder
	metaSHA256      = "tkit_sha256"      // of the image
	metaSize        = "tkit_size"        // in bytes
	metaModified    = "tkit_modified"    // when its file was last changed
	metaResults     = "tkit_results"     // the predictions of all models; see classify.Result
	metaModel       = "tkit_model"       // of the first result, as are the following
	metaVersion     = "tkit_version"     //
	metaLabel       = "tkit_label"       // the most probable one
	metaProbability = "tkit_probability" // its probability
)
