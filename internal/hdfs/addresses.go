package hdfs

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

// Addresses returns the NameNodes of an authority: a name service, or a host
// with or without port. The given property of the configuration holds their
// addresses. port is the default port.
func Addresses(site map[string]string, authority, property, port string) ([]string, error) {
	services := strings.FieldsFunc(site["dfs.nameservices"], func(r rune) bool { return r == ',' || r == ' ' })
	isService := func(name string) bool {
		_, several := site["dfs.ha.namenodes."+name]
		return several || slices.Contains(services, name)
	}
	if isService(authority) {
		return addressesOf(site, authority, property, port)
	}
	if host, _, err := net.SplitHostPort(authority); err == nil {
		if isService(host) {
			return nil, fmt.Errorf("%s is a name service, which has no port: write %s instead of %s", host, host, authority)
		}
		return []string{authority}, nil
	}
	if len(services) > 0 && !strings.Contains(authority, ".") {
		return nil, fmt.Errorf("%s is neither a host with a port nor one of the name services of hdfs-site.xml: %s",
			authority, strings.Join(services, ", "))
	}
	return []string{withPort(authority, port)}, nil
}

// addressesOf returns the NameNodes of a name service.
func addressesOf(site map[string]string, service, property, port string) (found []string, err error) {
	for name := range strings.SplitSeq(site["dfs.ha.namenodes."+service], ",") {
		key := property + "." + service
		if name = strings.TrimSpace(name); name != "" {
			key += "." + name
		}
		switch address := site[key]; {
		case address == "":
			return nil, fmt.Errorf("name service %s: hdfs-site.xml has no %s", service, key)
		case strings.Contains(address, "${"):
			return nil, fmt.Errorf("name service %s: %s is %s, and neither the configuration nor the environment defines that variable", service, key, address)
		default:
			found = append(found, withPort(address, port))
		}
	}
	return found, nil
}

func withPort(address, port string) string {
	if _, _, err := net.SplitHostPort(address); err == nil {
		return address
	}
	return net.JoinHostPort(strings.Trim(address, "[]"), port)
}
