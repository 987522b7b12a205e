package sql

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Argument returns a value as a parameter of a statement. Maps and lists become JSON,
// and times text in RFC 3339.
func (d Database) Argument(value any) (any, error) {
	switch v := value.(type) {
	case nil, string:
		return v, nil
	case time.Time:
		return v.Format(time.RFC3339Nano), nil
	case []byte:
		if d.Driver == Postgres {
			return `\x` + hex.EncodeToString(v), nil
		}
		return v, nil
	case map[string]any, []any:
		text, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		return string(text), nil
	}
	if d.Driver == Postgres {
		return postgresText(value)
	}
	return sqliteNumber(value)
}

// postgresText returns a number or a boolean as text. The server knows the type of each
// parameter, reads the text as it, and reports what does not fit.
func postgresText(value any) (any, error) {
	switch v := value.(type) {
	case bool:
		return strconv.FormatBool(v), nil
	case float32:
		return strconv.FormatFloat(float64(v), 'g', -1, 32), nil
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case int, int32, int64, uint32, uint64, json.Number:
		return fmt.Sprint(v), nil
	}
	return nil, fmt.Errorf("a value of the type %T cannot be written into a table", value)
}

// sqliteNumber returns a number or a boolean as a number.
func sqliteNumber(value any) (any, error) {
	switch v := value.(type) {
	case bool, float32, float64, int, int32, int64, uint32:
		return v, nil
	case uint64:
		return strconv.FormatUint(v, 10), nil
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n, nil
		}
		return v.Float64()
	}
	return nil, fmt.Errorf("a value of the type %T cannot be written into a table", value)
}
