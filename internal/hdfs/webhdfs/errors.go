package webhdfs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"tkit/internal/hdfs"
)

// errProtocol marks an answer that is not valid WebHDFS.
var errProtocol = errors.New("invalid WebHDFS answer")

// A remoteError is an error response of a server.
type remoteError struct {
	host      string
	status    int
	Exception string `json:"exception"`
	Class     string `json:"javaClassName"`
	Message   string `json:"message"`
}

func (e *remoteError) Error() string {
	message, _, _ := strings.Cut(e.Message, "\n")
	switch {
	case e.Exception == "":
		return fmt.Sprintf("%s responded with %d %s", e.host, e.status, http.StatusText(e.status))
	case message == "":
		return fmt.Sprintf("%s: %s", e.host, e.Exception)
	}
	return fmt.Sprintf("%s: %s (%s)", e.host, message, e.Exception)
}

// Unwrap returns the matching error of package fs.
func (e *remoteError) Unwrap() error {
	switch e.Exception {
	case "FileNotFoundException", "PathNotFoundException", "ParentNotDirectoryException":
		return fs.ErrNotExist
	case "AccessControlException", "SecurityException", "AuthorizationException", "AuthenticationException":
		return fs.ErrPermission
	case "IOException":
		if strings.Contains(e.Message, "is under construction") {
			return errUnderConstruction
		}
	}
	return nil
}

// mostRefusal bounds the body of an error response, which may contain a stack
// trace.
const mostRefusal = 64 << 10

// refusal reads the body of an error response.
func refusal(a answer) error {
	body, err := io.ReadAll(io.LimitReader(a.Body, mostRefusal))
	if err != nil {
		return lost(a.Request.Context(), a.from, err)
	}
	e := parseRefusal(body)
	e.host, e.status = a.from.Host, a.StatusCode
	if a.StatusCode == http.StatusUnauthorized {
		return &unauthorized{e, slices.ContainsFunc(a.Header.Values("WWW-Authenticate"), isNegotiate)}
	}
	return e
}

// parseRefusal parses a RemoteException. For any other body, such as a
// gateway's page, the result is empty.
func parseRefusal(body []byte) *remoteError {
	var e struct{ RemoteException remoteError }
	if json.Unmarshal(body, &e) != nil {
		return &remoteError{}
	}
	return &e.RemoteException
}

// unauthorized means that a server rejected the caller's identity.
type unauthorized struct {
	*remoteError
	negotiate bool // it offers SPNEGO
}

func (e *unauthorized) Unwrap() error { return fs.ErrPermission }

func isNegotiate(challenge string) bool {
	scheme, _, _ := strings.Cut(challenge, " ")
	return strings.EqualFold(scheme, "Negotiate")
}

// lost wraps an error of the connection to a server. It leaves out the
// address's query, which may hold a token.
func lost(ctx context.Context, u *url.URL, err error) error {
	var stranger x509.UnknownAuthorityError
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.As(err, &stranger):
		return fmt.Errorf("%s: %w: set TKIT_HDFS_CA to a file with the cluster's CA certificate, in PEM", u.Host, err)
	}
	return fmt.Errorf("%s: %w", u.Host, err)
}

// verdict says whether an attempt's error may be retried.
type verdict int

const (
	final     verdict = iota // another attempt would fail too
	transient                // the servers may recover
)

// passing lists the exceptions of a NameNode that is starting, stopping,
// standby or overloaded, of one that lost another server, and of blocks that no
// DataNode has reported yet. Hadoop uses a plain IOException for unspecific
// errors.
var passing = []string{
	"StandbyException", "SafeModeException", "RetriableException", "ServerTooBusyException",
	"ObserverRetryOnActiveException", "NamenodeNotReadyException", "BlockMissingException",
	"ConnectException", "ConnectTimeoutException", "SocketException", "SocketTimeoutException", "NoRouteToHostException",
	"EOFException", "ClosedChannelException", "NoNamenodesAvailableException", "InvalidToken", "IOException",
}

// judge classifies the error of one attempt. A NameNode's answers about a path
// are final; lost connections are not.
func judge(err error) verdict {
	var remote *remoteError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrInvalid),
		errors.Is(err, hdfs.ErrRefused), errors.Is(err, hdfs.ErrReplaced),
		errors.Is(err, hdfs.ErrUnavailable), errors.Is(err, hdfs.ErrLogin), errors.Is(err, errProtocol):
		return final
	case errors.As(err, &certificate):
		return final
	case errors.As(err, &remote):
		if slices.Contains(passing, remote.Exception) || remote.Exception == "" && remote.status >= 500 {
			return transient
		}
		return final
	}
	return transient
}

// unsupported reports that a server does not know an operation: it is an older
// version, or HttpFS, which lacks some operations.
func unsupported(err error) bool {
	var remote *remoteError
	return errors.As(err, &remote) && (remote.status == http.StatusBadRequest || remote.status == http.StatusNotImplemented ||
		slices.Contains([]string{"IllegalArgumentException", "UnsupportedOperationException", "QueryParamException"}, remote.Exception))
}

// pathError adds the path, once.
func pathError(verb, path string, err error) error {
	var named *fs.PathError
	if errors.As(err, &named) {
		err = named.Err
	}
	return &fs.PathError{Op: verb, Path: path, Err: err}
}
