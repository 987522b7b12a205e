package components

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/warpstreamlabs/bento/public/service"
)

// othersField is the field of a record with the metadata that is not tkit's.
const othersField = "metadata"

// recordOf returns the metadata of an image as JSON: tkit's own at the top, without the
// prefix of their names, and the others below "metadata".
func recordOf(m *service.Message, sum [32]byte) ([]byte, error) {
	record, others := make(map[string]any), make(map[string]any)
	err := m.MetaWalkMut(func(key string, value any) error {
		if name, ours := strings.CutPrefix(key, "tkit_"); ours {
			record[name] = value
		} else {
			others[key] = value
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(others) > 0 {
		record[othersField] = others
	}
	// The name of the files, also if the pipeline has changed the image.
	if name := hex.EncodeToString(sum[:]); record["sha256"] != name {
		if original, ok := record["sha256"]; ok {
			record["original_sha256"] = original
		}
		record["sha256"] = name
	}
	encoded, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return nil, errors.Join(errors.New("the metadata cannot be written as JSON"), err)
	}
	return append(encoded, '\n'), nil
}

// extension returns the extension of the name of an image, by its content alone, so
// that the same image always has the same name.
func extension(image []byte) string {
	switch http.DetectContentType(image) {
	case "image/jpeg":
		return ".jpg"
	case "image/png":
		return ".png"
	case "image/gif":
		return ".gif"
	case "image/bmp":
		return ".bmp"
	case "image/webp":
		return ".webp"
	}
	return ".image"
}
