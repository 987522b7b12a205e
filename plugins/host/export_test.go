package host

// WithoutNamespaces runs processes as on machines where users cannot create
// namespaces.
func WithoutNamespaces(c Config) Config {
	c.shared = true
	return c
}

// MutualTLS makes a key and a certificate.
var MutualTLS = mutualTLS
