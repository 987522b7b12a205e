package datasets

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// documents lists the extensions of files that accompany images in a dataset:
// annotations, lists, programs and texts.
var documents = map[string]bool{
	".xml": true, ".json": true, ".jsonl": true, ".ndjson": true, ".yaml": true, ".yml": true, ".toml": true, ".ini": true, ".cfg": true,
	".csv": true, ".tsv": true, ".txt": true, ".md": true, ".rst": true, ".html": true, ".htm": true, ".css": true, ".js": true, ".log": true,
	".py": true, ".pyc": true, ".ipynb": true, ".sh": true, ".m": true,
}

// foldersBeside returns, in ascending order, the folders outside the classes
// that contain only documents: all files are documents by name and not images
// by content. A folder with anything else may be a class whose images are
// damaged.
func (r *Report) foldersBeside(classes map[string]*ClassCount) []string {
	if !r.folders {
		return nil
	}
	beside := make(map[string]bool)
	for _, q := range r.Quarantined {
		if q.Label == "" || classes[q.Label] != nil {
			continue
		}
		before, seen := beside[q.Label]
		document := q.Reason == NotAnImage && documents[strings.ToLower(path.Ext(q.Key))]
		beside[q.Label] = document && (before || !seen)
	}
	maps.DeleteFunc(beside, func(_ string, document bool) bool { return !document })
	return slices.Sorted(maps.Keys(beside))
}
