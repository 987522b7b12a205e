package components

import (
	"errors"

	"github.com/warpstreamlabs/bento/public/bloblang"
	"github.com/warpstreamlabs/bento/public/service"
)

// An expression computes a value from an image's metadata, as the right side of an
// assignment in a mapping.
type expression struct{ mapping *bloblang.Executor }

func parseExpression(text string) (expression, error) {
	if _, err := bloblang.Parse("root = " + text); err != nil {
		return expression{}, err
	}
	// Only as a field of an object does a value keep its type.
	mapping, err := bloblang.Parse("root.value = (" + text + "\n)")
	if err != nil {
		return expression{}, errors.New("it must be a single expression")
	}
	return expression{mapping}, nil
}

// of returns the value for an image: nil, a string, a number, a boolean, a time, bytes, a
// map or a list.
func (e expression) of(m *service.Message) (any, error) {
	result, err := m.BloblangQuery(e.mapping)
	if err != nil {
		return nil, err
	}
	if result == nil {
		return nil, errors.New("the mapping gives no value")
	}
	structured, err := result.AsStructured()
	if err != nil {
		return nil, err
	}
	object, _ := structured.(map[string]any)
	value, given := object["value"]
	if !given {
		return nil, errors.New("the mapping gives no value")
	}
	return value, nil
}
