package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail"

	"tkit/ingest/web"
)

// The ways to protect the connection to a mail server.
const (
	StartTLS = "starttls"
	TLS      = "tls"
	Plain    = "none"
)

// MailOptions say where the mail server is, and to whom mail goes.
type MailOptions struct {
	Server         string // HOST:PORT
	Security       string // StartTLS, TLS or Plain
	CA             string // see [web.NewClient]
	User, Password string
	From           string
	To             []string
}

// Mail sends mail by SMTP.
type Mail struct {
	options MailOptions
	host    string
	port    int
	tls     *tls.Config
}

// NewMail checks the options. It connects to nothing.
func NewMail(o MailOptions) (*Mail, error) {
	host, port, err := net.SplitHostPort(o.Server)
	m := &Mail{options: o, host: host}
	if err == nil {
		m.port, err = strconv.Atoi(port)
	}
	switch {
	case err != nil:
		return nil, errors.New("the mail server must be HOST:PORT")
	case o.Security != StartTLS && o.Security != TLS && o.Security != Plain:
		return nil, errors.New("security must be starttls, tls or none")
	case o.Password != "" && o.Security == Plain && !web.IsLocal(host):
		return nil, errors.New("the password would be readable on the network: use starttls or tls")
	case len(o.To) == 0:
		return nil, errors.New("to is empty: name who gets the mail")
	}
	m.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA != "" {
		if m.tls, err = web.Trusting(o.CA); err != nil {
			return nil, err
		}
	}
	m.tls.ServerName = host
	if _, err := m.message(Digest{}); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Mail) message(d Digest) (*mail.Msg, error) {
	msg := mail.NewMsg()
	if err := msg.From(m.options.From); err != nil {
		return nil, err
	}
	if err := msg.To(m.options.To...); err != nil {
		return nil, err
	}
	msg.Subject(d.subject())
	msg.SetDate()
	_, domain, _ := strings.Cut(msg.GetFrom()[0].Address, "@")
	msg.SetMessageIDWithValue(d.ID + "@" + domain)
	msg.SetBodyString(mail.TypeTextPlain, d.text())
	return msg, nil
}

// Send sends a mail to all recipients.
func (m *Mail) Send(ctx context.Context, d Digest) error {
	options := []mail.Option{mail.WithPort(m.port), mail.WithTLSConfig(m.tls), mail.WithTimeout(sendTimeout)}
	switch m.options.Security {
	case TLS:
		options = append(options, mail.WithSSL())
	case StartTLS:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	case Plain:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	}
	if m.options.User != "" {
		mechanism := mail.SMTPAuthAutoDiscover
		if m.options.Security == Plain {
			mechanism = mail.SMTPAuthPlainNoEnc // only to this machine
		}
		options = append(options, mail.WithSMTPAuth(mechanism), mail.WithUsername(m.options.User), mail.WithPassword(m.options.Password))
	}
	client, err := mail.NewClient(m.host, options...)
	if err != nil {
		return err
	}
	msg, err := m.message(d)
	if err != nil {
		return err
	}
	return client.DialAndSendWithContext(ctx, msg)
}

// Close does nothing: each mail has a connection of its own.
func (m *Mail) Close() {}
