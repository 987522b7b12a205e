package components

import (
	"time"

	"github.com/warpstreamlabs/bento/public/service"
)

// fields reads the fields of a configuration and keeps the first error.
type fields struct {
	config *service.ParsedConfig
	err    error
}

// field reads one field by a method of the configuration.
func field[T any](f *fields, name string, read func(path ...string) (T, error)) T {
	v, err := read(name)
	if err != nil && f.err == nil {
		f.err = err
	}
	return v
}

func (f *fields) text(name string) string            { return field(f, name, f.config.FieldString) }
func (f *fields) texts(name string) []string         { return field(f, name, f.config.FieldStringList) }
func (f *fields) boolean(name string) bool           { return field(f, name, f.config.FieldBool) }
func (f *fields) number(name string) int             { return field(f, name, f.config.FieldInt) }
func (f *fields) duration(name string) time.Duration { return field(f, name, f.config.FieldDuration) }
