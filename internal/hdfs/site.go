package hdfs

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
)

// A site is Hadoop's configuration, read like Hadoop's Configuration: the files
// in order, where a later one overrides values that are not final; includes are
// read in place; variables are expanded. Values are trimmed.
type site struct {
	dir    string // all includes are relative to it
	values map[string]string
	final  map[string]bool
}

// siteFiles are the files with HDFS settings, in order.
var siteFiles = []string{"core-site.xml", "hdfs-site.xml"}

const (
	mostIncludes  = 10      // depth of nested includes
	mostVariables = 20      // how often a value is expanded, as in Hadoop
	mostValue     = 1 << 16 // bytes of a value that is expanded again
)

const xinclude = "http://www.w3.org/2001/XInclude"

// readSite reads a folder's files. At least one must exist.
func readSite(dir string) (map[string]string, error) {
	s := site{dir, map[string]string{}, map[string]bool{}}
	found := false
	for _, name := range siteFiles {
		switch err := s.readFile(filepath.Join(dir, name), 0); {
		case errors.Is(err, errNoSite):
		case err != nil:
			return nil, err
		default:
			found = true
		}
	}
	if !found {
		return nil, fmt.Errorf("%w: neither %s in %s", errNoSite, strings.Join(siteFiles, " nor "), dir)
	}
	expanded := make(map[string]string, len(s.values))
	for name, value := range s.values {
		expanded[name] = s.expand(value)
	}
	return expanded, nil
}

// errNoSite means that a file does not exist.
var errNoSite = errors.New("no configuration")

func (s *site) readFile(path string, depth int) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return errNoSite
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := s.read(f, depth); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// A siteElement is a property in either form, an include, or an element that
// may enclose them.
type siteElement struct {
	XMLName xml.Name
	// A property has a name, a value and an optional final flag, as elements or
	// attributes.
	Name       string        `xml:"name"`
	Value      *string       `xml:"value"`
	Final      string        `xml:"final"`
	NameIs     string        `xml:"name,attr"`
	ValueIs    *string       `xml:"value,attr"`
	FinalIs    string        `xml:"final,attr"`
	Href       string        `xml:"href,attr"` // of an include
	Properties []siteElement `xml:",any"`
}

func (s *site) read(r io.Reader, depth int) error {
	decoder := xml.NewDecoder(r)
	decoder.CharsetReader = func(charset string, input io.Reader) (io.Reader, error) {
		if strings.EqualFold(charset, "us-ascii") {
			return input, nil
		}
		return nil, fmt.Errorf("the encoding is %s: save it as UTF-8", charset)
	}
	var root siteElement
	if err := decoder.Decode(&root); err != nil {
		return err
	}
	if root.XMLName.Local != "configuration" {
		return fmt.Errorf("not a Hadoop configuration: it begins with <%s>", root.XMLName.Local)
	}
	return s.take(root.Properties, depth)
}

func (s *site) take(elements []siteElement, depth int) error {
	for _, e := range elements {
		var err error
		switch {
		case e.XMLName.Local == "property":
			s.set(e)
		case e.XMLName.Local == "configuration": // of an included file
			err = s.take(e.Properties, depth)
		case e.XMLName == xml.Name{Space: xinclude, Local: "include"}:
			err = s.include(e, depth)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *site) set(e siteElement) {
	name, value, final := strings.TrimSpace(e.Name), e.Value, e.Final
	if e.NameIs != "" {
		name = strings.TrimSpace(e.NameIs)
	}
	if e.ValueIs != nil {
		value = e.ValueIs
	}
	if e.FinalIs != "" {
		final = e.FinalIs
	}
	if name == "" || value == nil || *value == "" || s.final[name] { // an empty value counts as missing
		return
	}
	s.values[name] = strings.TrimSpace(*value)
	s.final[name] = strings.TrimSpace(final) == "true"
}

// include reads a file in place of an element, or else the element's fallback.
func (s *site) include(e siteElement, depth int) error {
	if depth == mostIncludes {
		return fmt.Errorf("files include each other more than %d deep", mostIncludes)
	}
	path := e.Href
	if u, err := url.Parse(e.Href); err == nil && u.Scheme != "" {
		if path = u.Path; u.Scheme != "file" {
			return fmt.Errorf("it includes %s: only local files can be included, copy it into the folder", e.Href)
		}
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.dir, path)
	}
	err := s.readFile(path, depth+1)
	if !errors.Is(err, errNoSite) {
		return err
	}
	for _, inner := range e.Properties {
		if inner.XMLName.Space == xinclude && inner.XMLName.Local == "fallback" {
			return s.take(inner.Properties, depth)
		}
	}
	return fmt.Errorf("it includes %s, which does not exist", e.Href)
}

var variable = regexp.MustCompile(`\$\{[^}$\s]+\}`)

// expand replaces ${NAME}: an environment variable as ${env.NAME}, with a
// default as ${env.NAME:-VALUE}, the user as ${user.name} and ${user.home}, or
// another property. Undefined variables stay.
func (s *site) expand(value string) string {
	for range mostVariables {
		if len(value) > mostValue {
			break
		}
		changed := false
		value = variable.ReplaceAllStringFunc(value, func(found string) string {
			put, ok := s.stands(found[2 : len(found)-1])
			if !ok {
				return found
			}
			changed = true
			return put
		})
		if !changed {
			break
		}
	}
	return value
}

func (s *site) stands(name string) (string, bool) {
	if env, ok := strings.CutPrefix(name, "env."); ok {
		return fromEnvironment(env)
	}
	if name == "user.name" || name == "user.home" {
		if u, err := user.Current(); err == nil {
			return map[string]string{"user.name": u.Username, "user.home": u.HomeDir}[name], true
		}
	}
	value, ok := s.values[name]
	return value, ok
}

// fromEnvironment resolves NAME, NAME-VALUE or NAME:-VALUE. The last uses VALUE
// also if the variable is empty.
func fromEnvironment(name string) (string, bool) {
	name, otherwise, given := strings.Cut(name, "-")
	name, empty := strings.CutSuffix(name, ":")
	value, ok := os.LookupEnv(name)
	switch {
	case ok && (value != "" || !given || !empty):
		return value, true
	case given:
		return otherwise, true
	}
	return "", false
}
