package registry

import (
	"fmt"
	"strings"
)

// Bounds of names, in bytes. Model names become parts of URLs and file names.
const (
	maxModelName = 128
	maxAliasName = 64
	maxReason    = 4096
)

// CheckModelName refuses a name that is not valid for a model. Valid are lower-case
// letters, digits, ".", "_" and "-", beginning with a letter or digit, at most 128.
func CheckModelName(name string) error {
	if !isName(name, maxModelName) {
		return fmt.Errorf("%w: model name %.140q: use a-z, 0-9, \".\", \"_\" and \"-\", a letter or digit first, at most %d of them",
			ErrInvalid, name, maxModelName)
	}
	return nil
}

// CheckApplicationName refuses a name that is not valid for an application: as for a
// model.
func CheckApplicationName(name string) error {
	if !isName(name, maxModelName) {
		return fmt.Errorf("%w: application %.140q: use a-z, 0-9, \".\", \"_\" and \"-\", a letter or digit first, at most %d of them",
			ErrInvalid, name, maxModelName)
	}
	return nil
}

// CheckBaseName refuses a name that is not valid for a base: as for a model.
func CheckBaseName(name string) error {
	if !isName(name, maxModelName) {
		return fmt.Errorf("%w: base name %.140q: use a-z, 0-9, \".\", \"_\" and \"-\", a letter or digit first, at most %d of them",
			ErrInvalid, name, maxModelName)
	}
	return nil
}

// CheckAliasName refuses a name that is not valid for an alias: as for a model, but at
// most 64, and not a number, which would be a version.
func CheckAliasName(name string) error {
	if !isName(name, maxAliasName) || strings.Trim(name, "0123456789") == "" {
		return fmt.Errorf("%w: alias %.80q: use a-z, 0-9, \".\", \"_\" and \"-\", a letter or digit first, at most %d of them, not only digits",
			ErrInvalid, name, maxAliasName)
	}
	return nil
}

func isName(s string, most int) bool {
	if s == "" || len(s) > most || strings.IndexByte("._-", s[0]) >= 0 {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}
