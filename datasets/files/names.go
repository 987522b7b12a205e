package files

import "strings"

// LeftBehind reports whether systems create a name in folders and archives that
// is never meant as an image: names that begin with a dot, and __MACOSX,
// Thumbs.db, desktop.ini, @eaDir, $RECYCLE.BIN and lost+found in any case.
func LeftBehind(name string) bool {
	if strings.HasPrefix(name, ".") {
		return true
	}
	switch strings.ToLower(name) {
	case "__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "lost+found":
		return true
	}
	return false
}
