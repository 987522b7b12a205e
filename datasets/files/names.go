package files

import (
	"regexp"
	"strings"
)

// record is the name of the record that a pipeline of `tkit ingest` writes beside an
// image, which has the same name: its SHA-256.
var record = regexp.MustCompile(`^[0-9a-f]{64}\.json$`)

// LeftBehind reports whether systems create a name in folders and archives that
// is never meant as an image: names that begin with a dot, and __MACOSX,
// Thumbs.db, desktop.ini, @eaDir, $RECYCLE.BIN and lost+found in any case, and the
// records that pipelines write beside images.
func LeftBehind(name string) bool {
	if strings.HasPrefix(name, ".") || record.MatchString(name) {
		return true
	}
	switch strings.ToLower(name) {
	case "__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "lost+found":
		return true
	}
	return false
}
