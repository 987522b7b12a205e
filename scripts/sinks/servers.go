package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"tkit/ingest/kafkatest"
	"tkit/ingest/opensearchtest"
	"tkit/internal/hdfs/hdfstest"
	"tkit/internal/needs"
	"tkit/internal/postgrestest"
	"tkit/internal/present"
)

// What the pipeline "full" writes to.
const (
	table  = "images"
	index  = "images"
	topic  = "classified"
	folder = "/classified"
)

// cameras is the table of the pipeline's look-up.
const cameras = `CREATE TABLE cameras (camera text PRIMARY KEY, site text, owner text);
INSERT INTO cameras VALUES ('north', 'Hamburg', 'Ada'), ('south', 'Munich', 'Grace')`

// servers are those of the sinks. What was not started is nil.
type servers struct {
	hdfs       *hdfstest.Cluster
	postgres   *postgrestest.Server
	opensearch *opensearchtest.Server
	kafka      *kafkatest.Broker
	mail       *mailbox

	dsn string
	db  *sql.DB
}

// startServers starts all servers. The caller stops them, also after an error.
func startServers(ctx context.Context) (*servers, error) {
	s := &servers{}
	var starting errgroup.Group
	starting.Go(func() (err error) {
		s.hdfs, err = hdfstest.Start(hdfstest.Config{DataNodes: 1, HDFS: map[string]string{"dfs.replication": "1"}})
		return err
	})
	starting.Go(func() error { return s.startPostgres(ctx) })
	starting.Go(func() (err error) {
		s.opensearch, err = opensearchtest.Start()
		return err
	})
	starting.Go(func() error { return s.startKafka(ctx) })
	starting.Go(func() (err error) {
		s.mail, err = startMail()
		return err
	})
	return s, starting.Wait()
}

func (s *servers) startPostgres(ctx context.Context) error {
	programs, err := needs.FindPostgres()
	if err != nil {
		return err
	}
	if s.postgres, err = postgrestest.Launch(ctx, programs); err != nil {
		return err
	}
	if s.dsn, err = s.postgres.Create(ctx); err != nil {
		return err
	}
	if s.db, err = sql.Open("pgx", s.dsn); err != nil {
		return err
	}
	_, err = s.db.ExecContext(ctx, cameras)
	return err
}

func (s *servers) startKafka(ctx context.Context) (err error) {
	if s.kafka, err = kafkatest.Start(); err != nil {
		return err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(s.kafka.Address()))
	if err != nil {
		return err
	}
	defer client.Close()
	made, err := kadm.NewClient(client).CreateTopic(ctx, 3, 1, nil, topic)
	return errors.Join(err, made.Err)
}

func (s *servers) stop() (err error) {
	if s.db != nil {
		err = s.db.Close()
	}
	if s.postgres != nil {
		err = errors.Join(err, s.postgres.Close())
	}
	if s.hdfs != nil {
		s.hdfs.Stop()
	}
	if s.opensearch != nil {
		s.opensearch.Stop()
	}
	if s.kafka != nil {
		s.kafka.Stop()
	}
	if s.mail != nil {
		err = errors.Join(err, s.mail.stop())
	}
	return err
}

// environment are the variables that the pipeline reads.
func (s *servers) environment() []string {
	return []string{
		"HADOOP_CONF_DIR=" + s.hdfs.ConfDir(), "DATABASE=" + s.dsn, "OPENSEARCH=" + s.opensearch.URL(), "KAFKA=" + s.kafka.Address(),
		"MAIL=" + s.mail.address, "MAIL_SECURITY=none",
	}
}

// list writes where the servers are.
func (s *servers) list(w io.Writer, took time.Duration) error {
	err := present.Pairs(w, [][2]string{
		{"HDFS", s.hdfs.URI()}, {"PostgreSQL", "a socket in a folder of its own"}, {"OpenSearch", s.opensearch.URL()},
		{"Kafka", s.kafka.Address()}, {"mail", s.mail.address},
	})
	if err == nil {
		_, err = fmt.Fprintf(w, "started in %.0f s\n", took.Seconds())
	}
	return err
}
