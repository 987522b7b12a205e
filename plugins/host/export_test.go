package host

import (
	"os/exec"
	"sync"
)

// Landlocked says whether this kernel keeps plugins from files.
func Landlocked() bool { return landlockVersion() > 0 }

// Namespaces says whether plugins get namespaces of their own here.
var Namespaces = sync.OnceValue(func() bool {
	cmd := exec.Command("/bin/true")
	cmd.SysProcAttr = (&child{}).attributes(true)
	return cmd.Run() == nil
})

// MutualTLS makes a key and a certificate.
var MutualTLS = mutualTLS
