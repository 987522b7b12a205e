package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/mail"
	"sync"

	"github.com/emersion/go-smtp"
)

// A mailbox is a mail server that keeps what it gets.
type mailbox struct {
	address string
	server  *smtp.Server
	ended   chan error

	mu       sync.Mutex
	subjects []string
}

func startMail() (*mailbox, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &mailbox{address: listener.Addr().String(), ended: make(chan error, 1)}
	b.server = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{box: b}, nil }))
	b.server.ErrorLog = log.New(io.Discard, "", 0)
	go func() { b.ended <- b.server.Serve(listener) }()
	return b, nil
}

func (b *mailbox) stop() error {
	err := b.server.Close()
	if ended := <-b.ended; !errors.Is(ended, smtp.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// told returns the number of mails, and that of the files that they are about.
func (b *mailbox) told() (mails, files int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, subject := range b.subjects {
		var name string
		var n int
		if _, err := fmt.Sscanf(subject, "%s %d new ", &name, &n); err != nil {
			return 0, 0, fmt.Errorf("a mail about %q: %w", subject, err)
		}
		files += n
	}
	return len(b.subjects), files, nil
}

// A session is one connection to the mail server.
type session struct{ box *mailbox }

func (s *session) Mail(string, *smtp.MailOptions) error { return nil }
func (s *session) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (s *session) Reset()                               {}
func (s *session) Logout() error                        { return nil }

func (s *session) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, m.Body); err != nil {
		return err
	}
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.subjects = append(s.box.subjects, m.Header.Get("Subject"))
	return nil
}
