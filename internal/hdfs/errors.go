package hdfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/colinmarc/hdfs/v2"
)

// Errors in addition to fs.ErrNotExist, fs.ErrPermission and the context's
// errors, for errors.Is. Errors about one path are *fs.PathError.
var (
	// ErrUnavailable marks an error of the cluster rather than of one file: it
	// was retried until the budget was spent.
	ErrUnavailable = errors.New("HDFS is unavailable")
	// ErrRefused marks a file that this client would read wrongly.
	ErrRefused = errors.New("refused")
	// ErrReplaced marks a file that was replaced since it was opened.
	ErrReplaced = errors.New("the file was replaced while it was read")
)

// verdict says whether an attempt's error may be retried.
type verdict int

const (
	final     verdict = iota // another attempt would fail too
	transient                // the servers may recover
)

// passing lists the exceptions of a NameNode that is starting, stopping,
// standby or overloaded, and of blocks that no DataNode has reported yet.
var passing = []string{
	"StandbyException", "SafeModeException", "RetriableException", "ServerTooBusyException", "NotReplicatedYetException",
	"RpcServerException", "RpcNoSuchProtocolException", "ObserverRetryOnActiveException", "NamenodeNotReadyException",
	"BlockMissingException", "SecretManager$InvalidToken",
}

// judge classifies the error of one attempt. The NameNode's answers about a
// path are final; lost connections are not.
func judge(err error) verdict {
	var remote hdfs.Error
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrInvalid),
		errors.Is(err, ErrRefused), errors.Is(err, ErrReplaced), errors.Is(err, ErrLogin):
		return final
	case errors.As(err, &remote):
		for _, name := range passing {
			if strings.HasSuffix(remote.Exception(), name) {
				return transient
			}
		}
		return final
	}
	return transient
}

// translate maps the errors of colinmarc/hdfs to those of package fs. Open and
// Stat do so themselves, the other calls do not.
func translate(err error) error {
	var remote hdfs.Error
	if !errors.As(err, &remote) {
		return err
	}
	message, _, _ := strings.Cut(remote.Message(), "\n")
	switch class := remote.Exception(); {
	case strings.HasSuffix(class, ".AccessControlException"):
		return &explained{fs.ErrPermission, message}
	case strings.HasSuffix(class, ".FileNotFoundException"), strings.HasSuffix(class, ".PathNotFoundException"):
		return &explained{fs.ErrNotExist, message}
	case strings.HasSuffix(class, ".FileAlreadyExistsException"), strings.HasSuffix(class, ".AlreadyBeingCreatedException"):
		return &explained{fs.ErrExist, message}
	case strings.HasSuffix(class, ".UnknownCryptoProtocolVersionException"): // writing in an encryption zone
		return &explained{errEncrypted, message}
	case message != "":
		return fmt.Errorf("%w: %s", err, message)
	}
	return err
}

// explained pairs a known error with the NameNode's message.
type explained struct {
	kind    error
	message string
}

func (e *explained) Error() string { return e.kind.Error() + ": " + e.message }
func (e *explained) Unwrap() error { return e.kind }

// pathError adds the path, once.
func pathError(op, path string, err error) error {
	var named *fs.PathError
	if errors.As(err, &named) {
		err = named.Err
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}

// unavailable reports that the budget is spent. It adds a hint about the
// settings where the servers' messages give none.
func (c *Client) unavailable(err error) error {
	hint := ""
	switch text := err.Error(); {
	case errors.Is(err, context.DeadlineExceeded):
	case strings.Contains(text, "unexpected sequence number") && c.settings.kerberos == nil:
		hint = "; the NameNode may require Kerberos: put the cluster's core-site.xml, with hadoop.security.authentication, in HADOOP_CONF_DIR"
	case strings.Contains(text, "SASL handshake"):
		hint = "; check hadoop.security.authentication, dfs.namenode.kerberos.principal and the clocks"
	case c.settings.kerberos != nil && (c.settings.options.DataTransferProtection == "" || errors.Is(err, errProtocol)):
		hint = "; if " + protectionKey + " or " + encryptKey + " of the DataNodes differs from hdfs-site.xml in HADOOP_CONF_DIR, " +
			"correct that file, or read through webhdfs:// or swebhdfs://"
	}
	return fmt.Errorf("%w at %s for %s: %w%s", ErrUnavailable, c.settings.authority, c.settings.budget, err, hint)
}
