package hdfs

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// The cluster's name for a ticket's owner follows from the rules in
// hadoop.security.auth_to_local, interpreted like Hadoop's KerberosName:
//
//	DEFAULT                               the first component, in the default realm
//	RULE:[2:$1@$0](svc@CORP)s/.*/batch/L  two components; the text, the pattern it
//	                                      must match, the replacement, lower case

// namer maps principals to short names.
type namer struct {
	rules  []nameRule
	simple bool // a name with "/" or "@" is invalid, and one without a rule has none
}

type nameRule struct {
	isDefault  bool
	components int
	format     string // $0 is the realm, $1 … the components
	match      *regexp.Regexp
	from       *regexp.Regexp // nil: no substitution
	to         string
	all, lower bool
}

const (
	namesKey          = "hadoop.security.auth_to_local"
	namesMechanismKey = "hadoop.security.auth_to_local.mechanism"
)

// ruleSyntax is Hadoop's.
var ruleSyntax = regexp.MustCompile(`^\s*(?:(DEFAULT)|RULE:\[(\d*):([^\]]*)\](?:\(([^)]*)\))?(?:s/([^/]*)/([^/]*)/(g)?)?)/?(L)?`)

// newNamer parses the rules of a configuration. No rules means DEFAULT.
func newNamer(site map[string]string) (*namer, error) {
	n := &namer{simple: !strings.EqualFold(site[namesMechanismKey], "mit")}
	rest := strings.TrimSpace(site[namesKey])
	if rest == "" {
		rest = "DEFAULT"
	}
	for rest != "" {
		found := ruleSyntax.FindStringSubmatch(rest)
		if found == nil {
			return nil, fmt.Errorf("hdfs: %s: invalid rule: %.80q", namesKey, rest)
		}
		r, err := newNameRule(found)
		if err != nil {
			return nil, fmt.Errorf("hdfs: %s: %.80q: %w", namesKey, strings.TrimSpace(found[0]), err)
		}
		n.rules = append(n.rules, r)
		rest = strings.TrimSpace(rest[len(found[0]):])
	}
	return n, nil
}

func newNameRule(found []string) (r nameRule, err error) {
	r = nameRule{isDefault: found[1] != "", format: found[3], to: found[6], all: found[7] != "", lower: found[8] != ""}
	if r.isDefault {
		return r, nil
	}
	if r.components, err = strconv.Atoi(found[2]); err != nil {
		return r, err
	}
	if found[4] != "" {
		if r.match, err = regexp.Compile(`^(?:` + found[4] + `)$`); err != nil {
			return r, err
		}
	}
	if found[5] != "" {
		if r.from, err = regexp.Compile(found[5]); err != nil {
			return r, err
		}
	}
	return r, nil
}

// short returns the short name of NAME or NAME/HOST of a realm under these
// rules.
func (n *namer) short(name, realm, defaultRealm string) (string, error) {
	parameters := append([]string{realm}, strings.Split(name, "/")...)
	for _, r := range n.rules {
		result, applies, err := r.apply(parameters, defaultRealm)
		switch {
		case err != nil:
			return "", fmt.Errorf("hdfs: %s: %s@%s: %w", namesKey, name, realm, err)
		case !applies:
			continue
		case n.simple && strings.ContainsAny(result, "/@"):
			return "", fmt.Errorf("hdfs: %s: %s@%s: a rule maps it to %q, which is not a short name", namesKey, name, realm, result)
		case r.lower:
			result = strings.ToLower(result)
		}
		return result, nil
	}
	if n.simple {
		return "", fmt.Errorf("hdfs: %s: no rule gives %s@%s a short name", namesKey, name, realm)
	}
	return name + "@" + realm, nil
}

// apply applies one rule to a principal, if the rule matches it.
func (r nameRule) apply(parameters []string, defaultRealm string) (name string, applies bool, err error) {
	if r.isDefault {
		return parameters[1], parameters[0] == defaultRealm, nil
	}
	if len(parameters)-1 != r.components {
		return "", false, nil
	}
	base, err := expand(r.format, func(i int) (string, bool) {
		if i >= len(parameters) {
			return "", false
		}
		return parameters[i], true
	})
	if err != nil || r.match != nil && !r.match.MatchString(base) {
		return "", false, err
	}
	if r.from == nil {
		return base, true, nil
	}
	times := 1
	if r.all {
		times = -1
	}
	var out strings.Builder
	end := 0
	for _, at := range r.from.FindAllStringSubmatchIndex(base, times) {
		put, err := expand(r.to, func(i int) (string, bool) {
			if 2*i+1 >= len(at) {
				return "", false
			}
			if at[2*i] < 0 {
				return "", true
			}
			return base[at[2*i]:at[2*i+1]], true
		})
		if err != nil {
			return "", false, err
		}
		out.WriteString(base[end:at[0]] + put)
		end = at[1]
	}
	return out.String() + base[end:], true, nil
}

// expand replaces $0, $1 … by values.
func expand(text string, value func(int) (string, bool)) (string, error) {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		digits := 0
		for digits < len(after) && after[digits] >= '0' && after[digits] <= '9' {
			digits++
		}
		i, err := strconv.Atoi(after[:digits])
		put, ok := "", false
		if err == nil {
			put, ok = value(i)
		}
		if !ok {
			return "", fmt.Errorf("$%s is undefined", after[:digits])
		}
		out.WriteString(put)
		text = after[digits:]
	}
}
