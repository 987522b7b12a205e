// Package pipelines has ready pipelines, with comments that explain them, and writes
// them for the models and folders of a user.
//
// Each file is a pipeline as it stands. Write replaces its name, its model, and the
// folders from which it reads images and into which it writes them.
package pipelines

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tkit/registry"
)

// First is the pipeline that runs without any server.
const First = "folder"

// Options say what a pipeline is for.
type Options struct {
	Pipeline string // one of Names; "" means First
	Model    string // as registry.ParseRef reads it
	// From and To are the folders from which images are read and into which they are
	// written. "" means those of the file.
	From, To string
}

//go:embed *.yaml
var files embed.FS

// Names are the names of the pipelines.
var Names = []string{First, "hdfs", "full", "kafka", "batch"}

// What Write replaces in the files: the first two as they stand, and the fields path that
// have one of these values.
const (
	nameField  = "name: pipeline"
	modelField = "models: [flowers]"
)

var (
	fromField = regexp.MustCompile(`(?m)\bpath: (incoming|hdfs:///incoming)\b`)
	toField   = regexp.MustCompile(`(?m)\bpath: (classified|hdfs:///classified)\b`)
)

// Write writes the file of a pipeline. The pipeline has the name of the file. A file
// that exists is an error that wraps fs.ErrExist.
func Write(path string, o Options) error {
	if o.Pipeline == "" {
		o.Pipeline = First
	}
	if !slices.Contains(Names, o.Pipeline) {
		return fmt.Errorf("there is no ready pipeline %q, only %s", o.Pipeline, strings.Join(Names, ", "))
	}
	if _, err := registry.ParseRef(o.Model); err != nil {
		return err
	}
	name, err := nameFor(path)
	if err != nil {
		return err
	}
	embedded, err := files.ReadFile(o.Pipeline + ".yaml")
	if err != nil {
		return err
	}
	text := strings.NewReplacer(nameField, "name: "+name, modelField, "models: ["+strconv.Quote(o.Model)+"]").Replace(string(embedded))
	if o.From != "" && !fromField.MatchString(text) || o.To != "" && !toField.MatchString(text) {
		return fmt.Errorf("the pipeline %s does not have such a folder: change its input or output in the file", o.Pipeline)
	}
	text = setFolder(setFolder(text, fromField, o.From), toField, o.To)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

var notInNames = regexp.MustCompile(`[^a-z0-9_-]+`)

// nameFor returns the name of a pipeline for its file.
func nameFor(path string) (string, error) {
	base := strings.ToLower(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)))
	name := strings.Trim(notInNames.ReplaceAllString(base, "-"), "-_")
	if name == "" {
		return "", fmt.Errorf("%s: the name of the file gives the pipeline no name; it needs a letter or a digit", path)
	}
	return name[:min(len(name), 64)], nil
}

// setFolder sets the folder of the fields that match, unless it is "".
func setFolder(text string, fields *regexp.Regexp, folder string) string {
	if folder == "" {
		return text
	}
	return fields.ReplaceAllLiteralString(text, "path: "+strconv.Quote(folder))
}
