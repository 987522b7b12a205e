package commandline

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
)

// Parsed makes a check of a function that parses a value.
func Parsed[T any](parse func(string) (T, error)) func(string) error {
	return func(s string) error {
		_, err := parse(s)
		return err
	}
}

// ParseNumber parses the number of something that a listing shows.
func ParseNumber(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		err = fmt.Errorf("%q: name it by its number, which the listing shows", s)
	}
	return n, err
}

// CheckExists rejects a path where there is nothing.
func CheckExists(path string) error {
	_, err := os.Stat(path)
	return err
}

// CheckGiven rejects the empty text.
func CheckGiven(s string) error {
	if s == "" {
		return errors.New("it is empty: give a text, or leave the flag out")
	}
	return nil
}

// CheckAddress accepts HOST:PORT, and "" for none.
func CheckAddress(s string) error {
	if s == "" {
		return nil
	}
	_, _, err := net.SplitHostPort(s)
	return err
}
