package store

import (
	"cmp"
	"strconv"
	"strings"
)

// compareVersions orders versions as in semver.org, version 2.0.0, item 11.
func compareVersions(a, b string) int {
	coreA, preA := splitVersion(a)
	coreB, preB := splitVersion(b)
	if c := compareFields(coreA, coreB); c != 0 {
		return c
	}
	switch {
	case preA == preB:
		return strings.Compare(a, b) // they differ at most in their builds
	case preA == "":
		return 1
	case preB == "":
		return -1
	}
	return compareFields(preA, preB)
}

func splitVersion(v string) (core, pre string) {
	v, _, _ = strings.Cut(v, "+")
	core, pre, _ = strings.Cut(v, "-")
	return core, pre
}

// compareFields compares the fields between dots, numbers numerically and
// before words.
func compareFields(a, b string) int {
	for a != "" || b != "" {
		var fieldA, fieldB string
		fieldA, a, _ = strings.Cut(a, ".")
		fieldB, b, _ = strings.Cut(b, ".")
		if fieldA == fieldB {
			continue
		}
		numberA, errA := strconv.ParseUint(fieldA, 10, 64)
		numberB, errB := strconv.ParseUint(fieldB, 10, 64)
		switch {
		case fieldA == "":
			return -1
		case fieldB == "":
			return 1
		case errA == nil && errB == nil:
			return cmp.Compare(numberA, numberB)
		case errA == nil:
			return -1
		case errB == nil:
			return 1
		}
		return strings.Compare(fieldA, fieldB)
	}
	return 0
}
