package host

// WithoutNamespaces has processes run as where users may have no namespaces.
func WithoutNamespaces(c Config) Config {
	c.shared = true
	return c
}

// MutualTLS makes a key and a certificate.
var MutualTLS = mutualTLS
