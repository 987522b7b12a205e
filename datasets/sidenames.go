package datasets

import (
	"strings"
	"unicode"
)

// sideWords are common words for the sides of a split.
var sideWords = map[string]string{
	"train": Train, "training": Train, "trn": Train,
	"validation": Validation, "validate": Validation, "val": Validation, "valid": Validation, "dev": Validation, "development": Validation,
	"test": Test, "testing": Test, "tst": Test, "eval": Test, "evaluation": Test, "holdout": Test, "heldout": Test,
}

// fillers are words that carry no meaning beside one of sideWords.
var fillers = map[string]bool{
	"set": true, "sets": true, "split": true, "subset": true, "partition": true, "part": true, "fold": true, "shard": true, "of": true,
	"data": true, "dataset": true, "folder": true, "file": true, "files": true, "sample": true, "samples": true,
	"image": true, "images": true, "img": true, "imgs": true, "photo": true, "photos": true, "picture": true, "pictures": true, "pics": true,
	"jpg": true, "jpeg": true, "png": true, "raw": true, "clean": true, "cropped": true, "resized": true, "augmented": true, "aug": true,
	"new": true, "old": true, "final": true, "full": true, "all": true, "small": true, "original": true, "version": true, "ver": true,
	"labeled": true, "labelled": true, "class": true, "classes": true,
}

// SideNamed returns the side of a split that a folder's name or a label means,
// in common spellings: Training, test_images, val2017, dev-set, HOLDOUT. Every
// word of the name must mean the side or be a filler, so "test strip" means
// none. ParseSplit parses sides that a dataset states explicitly.
func SideNamed(name string) (split string, ok bool) {
	for _, word := range words(name) {
		if side, found := sideWord(word); found && (split == "" || split == side) {
			split = side
		} else if found || !fillers[word] && len(word) > 1 {
			return "", false
		}
	}
	return split, split != ""
}

// SideIn returns the side of a split that any word of a name means, such as in
// a shard's name: digits-train.tfrecord-00000-of-00004. It returns none if two
// words mean different sides.
func SideIn(name string) (split string, ok bool) {
	for _, word := range words(name) {
		if side, found := sideWord(word); found {
			if split != "" && split != side {
				return "", false
			}
			split = side
		}
	}
	return split, split != ""
}

// sideWord interprets one word, also with a filler appended: trainset,
// testimages.
func sideWord(word string) (split string, ok bool) {
	if split, ok = sideWords[word]; ok {
		return split, true
	}
	for filler := range fillers {
		if begin, cut := strings.CutSuffix(word, filler); cut && len(filler) > 2 && sideWords[begin] != "" {
			return sideWords[begin], true
		}
	}
	return "", false
}

// words returns the runs of letters of a name in lower case. A capital after a
// small letter begins a word, and "hold out" is one word.
func words(name string) []string {
	var b strings.Builder
	var before rune
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r):
			b.WriteByte(' ')
		case unicode.IsUpper(r) && unicode.IsLower(before):
			b.WriteByte(' ')
			fallthrough
		default:
			b.WriteRune(unicode.ToLower(r))
		}
		before = r
	}
	all := strings.Fields(b.String())
	for i := 0; i+1 < len(all); i++ {
		if all[i+1] == "out" && (all[i] == "hold" || all[i] == "held") {
			all[i] += "out"
			all = append(all[:i+1], all[i+2:]...)
		}
	}
	return all
}
