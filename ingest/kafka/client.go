// Package kafka reads records from Kafka as a member of a consumer group, and writes
// records to it.
//
// A record counts as delivered when its user says so. The group's offset of a partition
// moves past a record when it and all before it are delivered, so that a process that
// is killed, or that loses a partition to another one, loses no record.
package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"tkit/ingest/failure"
)

// Mechanisms are the ways in which a user authenticates.
var Mechanisms = []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}

// A Cluster says how to reach a Kafka.
type Cluster struct {
	Brokers        []string // HOST:PORT of some brokers, from which the others are learned
	TLS            bool     // else connections are in clear text
	CA             string   // a file with the authority of the brokers; "" for the system's
	Certificate    string   // a file with that of the client, "" for none
	Key            string   // a file with the key of the certificate
	User, Password string   // "" without authentication
	Mechanism      string   // one of Mechanisms
}

// client returns a client. The caller closes it.
func (c Cluster) client(options ...kgo.Opt) (*kgo.Client, error) {
	if len(c.Brokers) == 0 {
		return nil, errors.New("kafka: name at least one broker, as HOST:PORT")
	}
	options = append(options, kgo.SeedBrokers(c.Brokers...), kgo.ClientID("tkit"))
	if c.TLS {
		config, err := c.tls()
		if err != nil {
			return nil, fmt.Errorf("kafka: %w", err)
		}
		options = append(options, kgo.DialTLSConfig(config))
	}
	if c.User != "" {
		mechanism, err := c.mechanism()
		if err != nil {
			return nil, err
		}
		options = append(options, kgo.SASL(mechanism))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return client, nil
}

// tls reads the certificates.
func (c Cluster) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate in the form PEM", c.CA)
		}
	}
	if c.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(c.Certificate, c.Key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func (c Cluster) mechanism() (sasl.Mechanism, error) {
	switch c.Mechanism {
	case "PLAIN":
		return plain.Auth{User: c.User, Pass: c.Password}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: c.User, Pass: c.Password}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: c.User, Pass: c.Password}.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("kafka: there is no authentication %q", c.Mechanism)
}

// Refused reports whether an error of opening a consumer or a producer is one that no
// repetition changes: the cluster refuses the user or the certificate, its certificate is
// not trusted, a topic or a file does not exist.
func Refused(err error) bool {
	if _, is := errors.AsType[*tls.CertificateVerificationError](err); is || errors.Is(err, fs.ErrNotExist) {
		return true
	}
	// An alert of TLS, by which the broker refuses the certificate of the client.
	if e, is := errors.AsType[*net.OpError](err); is && e.Op == "remote error" {
		return true
	}
	return slices.ContainsFunc(refusals, func(one error) bool { return errors.Is(err, one) })
}

var refusals = []error{
	kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState, kerr.TopicAuthorizationFailed,
	kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed, kerr.UnknownTopicOrPartition,
}

// ping returns an error if no broker answers, or if one refuses the client.
func ping(ctx context.Context, client *kgo.Client) error {
	err := client.Ping(ctx)
	switch {
	case err == nil:
		return nil
	case Refused(err):
		return fmt.Errorf("kafka: the connection is refused: %w", err)
	}
	return fmt.Errorf("kafka: no broker answers: %w", err)
}

// Stage is the stage of failures of Kafka.
const Stage = "kafka"

// failed returns the failure of writing a record. Kafka refuses some records for
// themselves; anything else can be repaired.
func failed(err error) error {
	kind := failure.Outage
	for _, lasting := range []error{kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord} {
		if errors.Is(err, lasting) {
			kind = failure.Lasting
		}
	}
	return &failure.Error{Stage: Stage, Kind: kind, Err: err}
}
