package server

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"time"
)

// The limits of a connection, the same for both front ends.
const (
	headerTime = 10 * time.Second // for the header of a request, or TLS
	bodyTime   = time.Minute      // for the whole request
	idleTime   = 2 * time.Minute  // without a request
	writeTime  = 30 * time.Second // without a byte received by the client
	headerSize = 64 << 10
	streams    = 64      // requests at a time on a connection of HTTP/2
	streamSize = 1 << 20 // bytes of a request waiting to be read
)

// frontEnd returns a server of net/http with the limits of all front ends. It speaks
// HTTP/2, over TLS or, without a certificate, in clear text.
func frontEnd(h http.Handler, certificate *tls.Config, log *slog.Logger) *http.Server {
	s := &http.Server{
		Handler:           h,
		TLSConfig:         certificate.Clone(), // the server completes it
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       bodyTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headerSize,
		ConnContext:       withConnection,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		Protocols:         new(http.Protocols),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: streams, WriteByteTimeout: writeTime,
			MaxReceiveBufferPerConnection: streamSize, MaxReceiveBufferPerStream: streamSize,
		},
		// "OPTIONS *" is handled like every other request.
		DisableGeneralOptionsHandler: true,
	}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	return s
}
