package kafka_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkit/ingest/kafka"
	"tkit/ingest/kafkatest"
)

// secured returns the ways to reach the broker with TLS, by their names.
func secured(b *kafkatest.Broker) map[string]kafka.Cluster {
	all := map[string]kafka.Cluster{
		"TLS":    {Brokers: []string{b.TLS()}},
		"mutual": {Brokers: []string{b.Mutual()}, Certificate: b.Certificate(), Key: b.Certificate()},
	}
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-512"} {
		all[mechanism] = kafka.Cluster{Brokers: []string{b.WithPassword()}, User: kafkatest.User, Password: kafkatest.Password, Mechanism: mechanism}
	}
	for name, c := range all {
		c.TLS, c.CA = true, b.CA()
		all[name] = c
	}
	return all
}

// Records are written and read over TLS, with certificates of the client and with
// passwords.
func TestSecured(t *testing.T) {
	b := broker(t)
	for name, cluster := range secured(b) {
		topic := b.Topic(t, "secured", 1)
		p, err := kafka.OpenProducer(t.Context(), cluster, 1<<20)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := p.Write(t.Context(), &kgo.Record{Topic: topic, Value: []byte(name)}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		c, err := kafka.OpenConsumer(t.Context(), consuming(t, cluster, topic, topic))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		r := next(t, c)
		if string(r.Value) != name {
			t.Errorf("%s: the record is %q", name, r.Value)
		}
		r.Delivered()
		c.Close()
	}
}

// What the operator has to change is an error, and the password is not in it. What a
// broker refuses, or what makes it not trusted, ends the run.
func TestNotTrusted(t *testing.T) {
	b := broker(t)
	otherCA, other := kafkatest.OtherAuthority(t)
	all := secured(b)
	topic := b.Topic(t, "images", 1)
	for _, c := range []struct {
		name, of string
		change   func(*kafka.Cluster)
		want     string
		refused  bool
	}{
		{"a wrong password for PLAIN", "PLAIN", func(c *kafka.Cluster) { c.Password = "wrong-" + c.Password }, "SASL_AUTHENTICATION_FAILED", true},
		{"a wrong password for SCRAM", "SCRAM-SHA-512", func(c *kafka.Cluster) { c.Password = "wrong-" + c.Password }, "SASL_AUTHENTICATION_FAILED", true},
		{"an unknown user", "SCRAM-SHA-512", func(c *kafka.Cluster) { c.User = "nobody" }, "SASL_AUTHENTICATION_FAILED", true},
		{"a mechanism that is off", "PLAIN", func(c *kafka.Cluster) { c.Mechanism = "SCRAM-SHA-256" }, "UNSUPPORTED_SASL_MECHANISM", true},
		{"a password without TLS", "PLAIN", func(c *kafka.Cluster) { c.TLS = false }, "tls", false},
		{"no password", "PLAIN", func(c *kafka.Cluster) { c.User = "" }, "is SASL missing?", false},
		{"an authority that is not trusted", "TLS", func(c *kafka.Cluster) { c.CA = otherCA }, "unknown authority", true},
		{"the system's authorities", "TLS", func(c *kafka.Cluster) { c.CA = "" }, "unknown authority", true},
		{"another host name", "TLS", func(c *kafka.Cluster) { c.Brokers[0] = strings.Replace(c.Brokers[0], "127.0.0.1", "localhost", 1) }, "localhost", true},
		{"no TLS", "TLS", func(c *kafka.Cluster) { c.TLS = false }, "tls", false},
		{"TLS where there is none", "TLS", func(c *kafka.Cluster) { c.Brokers = []string{b.Address()} }, "is TLS misconfigured", false},
		{"no certificate of the client", "mutual", func(c *kafka.Cluster) { c.Certificate = "" }, "bad certificate", true},
		{"another authority's certificate of the client", "mutual", func(c *kafka.Cluster) { c.Certificate, c.Key = other, other }, "unknown certificate", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster := all[c.of]
			cluster.Brokers = slices.Clone(cluster.Brokers)
			c.change(&cluster)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			check := func(err error) {
				t.Helper()
				if err == nil || kafka.Refused(err) != c.refused || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), kafkatest.Password) {
					t.Errorf("refused is %t: %v", kafka.Refused(err), err)
				}
			}
			_, err := kafka.OpenProducer(ctx, cluster, 1<<20)
			check(err)
			_, err = kafka.OpenConsumer(ctx, consuming(t, cluster, topic, topic))
			check(err)
		})
	}
}
