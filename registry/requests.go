package registry

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"tkit/registry/metadata"
)

// ErrKeyUsed is the error of a request with the key of another one.
var ErrKeyUsed = errors.New("its key was used for another request: choose a new key for each")

// once carries out the request with a key, in the transaction of w, and stores its result,
// or returns the stored one if it was carried out before. Asked is what it asks for.
func once[T any](w metadata.Writer, key string, asked any, do func() (T, error)) (result T, err error) {
	if result, found, err := repeated[T](w, key, asked); found || err != nil {
		return result, err
	}
	if result, err = do(); err != nil || key == "" {
		return result, err
	}
	question, err1 := json.Marshal(asked)
	answer, err2 := json.Marshal(result)
	if err := errors.Join(err1, err2); err != nil {
		return result, err
	}
	return result, w.AddRequest(metadata.Request{Key: key, Asked: string(question), Result: string(answer)})
}

// repeated returns the stored result of the request with a key, if it was carried out.
func repeated[T any](rows metadata.Reader, key string, asked any) (result T, found bool, err error) {
	if key == "" {
		return result, false, nil
	}
	question, err := json.Marshal(asked)
	if err != nil {
		return result, false, err
	}
	before, found, err := rows.Request(key)
	switch {
	case err != nil || !found:
		return result, false, err
	case before.Asked != string(question):
		return result, false, fmt.Errorf("%w: %w", ErrInvalid, ErrKeyUsed)
	}
	return result, true, json.Unmarshal([]byte(before.Result), &result)
}

func checkKey(key string) error {
	if len(key) > maxModelName || !utf8.ValidString(key) {
		return fmt.Errorf("%w: the key of a request has at most %d bytes of text", ErrInvalid, maxModelName)
	}
	return nil
}
