// Package starter writes the file of a first pipeline, with comments that explain it.
package starter

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/template"

	"tkit/registry"
)

// Options are what a first pipeline needs.
type Options struct {
	Model string // as registry.ParseRef reads it
	From  string // the folder with images
	To    string // the folder for classified images
}

// named are the values of the template.
type named struct {
	Options
	Name string
}

//go:embed pipeline.yaml
var text string

var file = template.Must(template.New("pipeline.yaml").Funcs(template.FuncMap{"quote": strconv.Quote}).Parse(text))

var notInNames = regexp.MustCompile(`[^a-z0-9_-]+`)

// Write writes the file of a pipeline. The pipeline has the name of the file. A file
// that exists is an error that wraps fs.ErrExist.
func Write(path string, o Options) error {
	if _, err := registry.ParseRef(o.Model); err != nil {
		return err
	}
	if o.From == "" || o.To == "" {
		return errors.New("the pipeline needs a folder with images and one for the classified images")
	}
	base := strings.ToLower(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)))
	name := strings.Trim(notInNames.ReplaceAllString(base, "-"), "-_")
	if name == "" {
		return fmt.Errorf("%s: the name of the file gives the pipeline no name; it needs a letter or a digit", path)
	}
	var b bytes.Buffer
	if err := file.Execute(&b, named{o, name[:min(len(name), 64)]}); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b.Bytes())
	return errors.Join(err, f.Close())
}
