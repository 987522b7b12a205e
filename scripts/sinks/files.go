package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// files are those that a pipeline gets.
type files struct {
	good map[string]bool   // the images, by their SHA-256
	bad  map[string]string // the SHA-256 of each file that is no image, by its source
	// copies is the number of files whose image another file has too.
	copies int
}

// readFiles reads the files in the folders good and bad of a folder.
func readFiles(incoming string) (files, error) {
	f := files{good: make(map[string]bool), bad: make(map[string]string)}
	found, err := filepath.Glob(filepath.Join(incoming, "*", "*"))
	if err != nil {
		return f, err
	}
	for _, path := range found {
		content, err := os.ReadFile(path)
		if err != nil {
			return f, err
		}
		source, err := filepath.Rel(incoming, path)
		if err != nil {
			return f, err
		}
		sum := digest(content)
		switch {
		case filepath.Dir(source) != "good":
			f.bad[source] = sum
		case f.good[sum]:
			f.copies++
		default:
			f.good[sum] = true
		}
	}
	if len(f.good) == 0 || len(f.bad) == 0 {
		return f, fmt.Errorf("%s needs images in good, and other files in bad", incoming)
	}
	return f, nil
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
