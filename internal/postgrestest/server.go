// Package postgrestest starts real PostgreSQL servers for tests, on a Unix socket in a
// temporary folder. `make postgres` installs their programs.
//
// A server is a child of the test and ends with it, even if the test is killed.
package postgrestest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"tkit/internal/needs"
)

// startTimeout bounds the start of a server. Usually it takes a second; the rest is for
// busy machines.
const startTimeout = 2 * time.Minute

// User is the user of all databases, and Password its password.
const (
	User     = "tkit"
	Password = "let-me-in"
)

// A Server is a PostgreSQL server that can be stopped and started again. Its data stay
// until the test ends.
type Server struct {
	programs   string // a folder
	dir        string // has the data and the socket
	credential *syscall.Credential
	running    *process // nil while it is stopped
	databases  atomic.Int64
}

type process struct {
	cmd   *exec.Cmd
	ended chan error
}

// Start starts a server, which ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := Launch(t.Context(), needs.Postgres(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Launch starts a server with the programs of a folder. Close ends it.
func Launch(ctx context.Context, programs string) (_ *Server, err error) {
	s := &Server{programs: programs}
	// A socket's path has at most 107 bytes, which the folder of a test may exceed.
	if s.dir, err = os.MkdirTemp("", "pgtest-"); err != nil {
		return nil, err
	}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.launch(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close ends the server and removes its data.
func (s *Server) Close() error { return errors.Join(s.stop(), os.RemoveAll(s.dir)) }

// prepare makes the folder of the databases.
func (s *Server) prepare() error {
	if os.Geteuid() == 0 { // PostgreSQL refuses to be run by root
		if err := s.leaveRoot(); err != nil {
			return err
		}
	}
	passwords := filepath.Join(s.dir, "password")
	if err := os.WriteFile(passwords, []byte(Password+"\n"), 0o644); err != nil {
		return err
	}
	initdb := s.command("initdb", "--pgdata="+s.data(), "--username="+User, "--pwfile="+passwords, "--auth=scram-sha-256",
		"--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// leaveRoot makes the server run as the account of the Debian package, or as nobody.
func (s *Server) leaveRoot() error {
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		return fmt.Errorf("no account for PostgreSQL, which refuses to be run by root: %w", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return err
	}
	s.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(s.dir, int(uid), int(gid))
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.programs, program), args...)
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential}
	return cmd
}

// Restart starts the server again after Stop, and returns when it accepts connections.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if err := s.launch(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// launch starts the process, and returns when it accepts connections.
func (s *Server) launch(ctx context.Context) error {
	cmd := s.command("postgres", "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off",
		"-c", "shared_buffers=8MB", "-c", "max_connections=50", "-c", "autovacuum=off", "-c", "unix_socket_permissions=0777")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	p := &process{cmd: cmd, ended: make(chan error, 1)}
	started := make(chan error)
	go func() {
		// The signal comes when the thread that started the server ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		cmd.SysProcAttr.Pdeathsig = syscall.SIGQUIT // end at once
		err := cmd.Start()
		started <- err
		if err == nil {
			p.ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	s.running = p
	db, err := sql.Open("pgx", s.DSN("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for db.PingContext(ctx) != nil {
		select {
		case err := <-p.ended:
			s.running = nil
			return fmt.Errorf("the server ended: %w\n%s", err, log.String())
		case <-ctx.Done():
			return errors.New("the server does not accept connections")
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// Stop ends the server at once, as a crash would, and its connections with it.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

func (s *Server) stop() error {
	if s.running == nil {
		return nil
	}
	err := s.running.cmd.Process.Signal(syscall.SIGQUIT)
	<-s.running.ended
	s.running = nil
	return err
}

// DSN returns the connection string of a database.
func (s *Server) DSN(database string) string {
	return fmt.Sprintf("postgres://%s:%s@/%s?host=%s", User, Password, database, s.dir)
}

// Database creates an empty database and returns its connection string.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	dsn, err := s.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return dsn
}

// Create is Database for code that runs outside of a test.
func (s *Server) Create(ctx context.Context) (dsn string, err error) {
	name := "test" + strconv.FormatInt(s.databases.Add(1), 10)
	db, err := sql.Open("pgx", s.DSN("postgres"))
	if err != nil {
		return "", err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	return s.DSN(name), nil
}

// WrongPassword returns a connection string with a password that the server refuses.
func WrongPassword(dsn string) string { return strings.Replace(dsn, Password, "wrong-"+Password, 1) }
