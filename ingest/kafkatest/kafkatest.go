// Package kafkatest starts a real Kafka broker for tests, from Kafka's jars and on
// loopback ports. `make deps-kafka` installs the jars.
//
// The broker is a child of the test and ends with it, even if the test is killed.
package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkit/internal/needs"
	"tkit/internal/testserver"
)

// startTimeout bounds how long a broker may take to start. Usually it takes seconds;
// the rest is for busy machines.
const startTimeout = 2 * time.Minute

// A Broker is a running Kafka.
type Broker struct {
	dir     string // holds the configuration, the log, and the data
	lib     string
	ports   testserver.Ports
	process *testserver.Process
}

// Shared returns a broker shared by the tests of one binary. The first use starts it
// and needs a Java virtual machine; Main stops it:
//
//	var broker = kafkatest.Shared()
//
//	func TestMain(m *testing.M) { os.Exit(kafkatest.Main(m)) }
func Shared() func(testing.TB) *Broker { return shared }

var shared = testserver.Shared(needs.JVM, Start)

// Main runs the tests, stops the broker, and returns the exit status.
func Main(m *testing.M) int { return testserver.Main(m) }

// Start starts a broker and returns when it accepts connections.
func Start() (*Broker, error) {
	b := &Broker{}
	err := b.prepare()
	if err == nil {
		err = b.launch()
	}
	if err == nil {
		err = b.addUser()
	}
	if err != nil {
		b.Stop()
		return nil, fmt.Errorf("kafkatest: %w", err)
	}
	return b, nil
}

// Stop ends the broker and removes its data.
func (b *Broker) Stop() {
	if b.process != nil {
		b.process.Kill()
	}
	b.ports.Release()
	if b.dir != "" {
		os.RemoveAll(b.dir)
	}
}

// Address is the broker's host:port.
func (b *Broker) Address() string { return "127.0.0.1:" + strconv.Itoa(b.ports.Base) }

// Kill ends the broker as a crash would. Up starts it again.
func (b *Broker) Kill() { b.process.Kill() }

// Up starts a broker that was killed again, with its data.
func (b *Broker) Up() error { return b.launch() }

// Restart kills the broker and starts it again.
func (b *Broker) Restart() error {
	b.Kill()
	return b.Up()
}

// MaxMessage is the size of the largest message that the broker takes, in bytes.
const MaxMessage = 1 << 20

const configuration = `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d,TLS://%[5]s,MUTUAL://%[6]s,PASSWORD://%[7]s
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d,TLS://%[5]s,MUTUAL://%[6]s,PASSWORD://%[7]s
controller.listener.names=CONTROLLER
log.dirs=%[3]s
message.max.bytes=%[4]d
num.partitions=1
auto.create.topics.enable=false
num.network.threads=1
num.io.threads=2
log.cleaner.enable=false
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=1000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
`

// prepare finds the jars and writes what the broker reads.
func (b *Broker) prepare() (err error) {
	installed, err := needs.Installed("kafka")
	if err != nil {
		return err
	}
	b.lib = filepath.Join(installed, "lib")
	if b.ports, err = testserver.Reserve(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "kafkatest-"); err != nil {
		return err
	}
	if err := os.Mkdir(b.data(), 0o700); err != nil {
		return err
	}
	// What Kafka's own tool to format a folder writes.
	const identity = "version=1\ncluster.id=a2Fma2EtZm9yLXRlc3RzLg\nnode.id=1\ndirectory.id=ZGlyZWN0b3J5LW9mLXRlcw\n"
	settings := fmt.Sprintf(configuration, b.ports.Base, b.ports.Base+1, b.data(), MaxMessage, b.TLS(), b.Mutual(), b.WithPassword()) +
		fmt.Sprintf(listeners, b.certificate(), b.CA(), User, Password)
	return errors.Join(
		b.writeCertificates(),
		os.WriteFile(filepath.Join(b.data(), "meta.properties"), []byte(identity), 0o600),
		os.WriteFile(b.settings(), []byte(settings), 0o600))
}

func (b *Broker) data() string     { return filepath.Join(b.dir, "data") }
func (b *Broker) settings() string { return filepath.Join(b.dir, "server.properties") }
func (b *Broker) log() string      { return filepath.Join(b.dir, "log") }

// launch starts the process and waits until it serves.
func (b *Broker) launch() error {
	log, err := os.OpenFile(b.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("java", "-Xmx256m", "-Xms64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", filepath.Join(b.lib, "*"), "kafka.Kafka", b.settings())
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, b.dir
	if b.process, err = testserver.Start(cmd); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Address()))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	for {
		// It serves once it coordinates groups, for which it makes a topic.
		if _, err := admin.FetchOffsets(ctx, "nobody"); err == nil {
			return nil
		}
		if !b.process.Running() {
			return fmt.Errorf("the broker ended:\n%s", testserver.Tail(b.log()))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the broker does not serve: %w\n%s", ctx.Err(), testserver.Tail(b.log()))
		case <-time.After(50 * time.Millisecond):
		}
	}
}
