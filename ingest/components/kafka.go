package components

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/warpstreamlabs/bento/public/service"

	"tkit/ingest/kafka"
	"tkit/ingest/sink"
	"tkit/ingest/web"
)

// KafkaInput is the name of the input whose images several processes can share.
const KafkaInput = "tkit_kafka"

// clusterFields are those that say how to reach a Kafka.
func clusterFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewStringListField("brokers").Description("Some brokers of the cluster, as HOST:PORT."),
		service.NewBoolField("tls").Description("Connect with TLS.").Default(false),
		service.NewStringField("ca").Description("A file with the certificates of the brokers' authority, relative to the pipeline's file. By default the system's are trusted.").Default(""),
		service.NewStringField("certificate").Description("A file with the client's certificate, if the brokers ask for one.").Default(""),
		service.NewStringField("key").Description("A file with the key of the client's certificate.").Default(""),
		service.NewStringField("user").Description("The user, if the cluster authenticates by a password.").Default(""),
		service.NewStringField("password").Description("The password of the user.").Default("").Secret(),
		service.NewStringEnumField("mechanism", kafka.Mechanisms...).Description("How the user authenticates.").Default(kafka.Mechanisms[2]),
	}
}

// clusterNames are the names of clusterFields.
var clusterNames = []string{"brokers", "tls", "ca", "certificate", "key", "user", "password", "mechanism"}

// cluster reads clusterFields. The paths are relative to the run's folder.
func (f *fields) cluster(r *Run) kafka.Cluster {
	c := kafka.Cluster{
		Brokers: f.texts("brokers"), TLS: f.boolean("tls"), User: f.text("user"), Password: f.text("password"), Mechanism: f.text("mechanism"),
		CA: f.text("ca"), Certificate: f.text("certificate"), Key: f.text("key"),
	}
	switch {
	case f.err != nil:
	case len(c.Brokers) == 0:
		f.err = errors.New("brokers is empty: name at least one as HOST:PORT")
	case (c.User == "") != (c.Password == ""):
		f.err = errors.New("user and password belong together")
	case (c.Certificate == "") != (c.Key == ""):
		f.err = errors.New("certificate and key belong together")
	case !c.TLS && c.CA+c.Certificate != "":
		f.err = errors.New("ca and certificate are for TLS: set tls: true")
	case !c.TLS && c.User != "" && c.Mechanism == "PLAIN" && slices.ContainsFunc(c.Brokers, elsewhere):
		f.err = errors.New("the password would be readable on the network: set tls: true, or use another mechanism")
	}
	for _, path := range []*string{&c.CA, &c.Certificate, &c.Key} {
		if *path != "" {
			*path = r.Path(*path)
		}
	}
	return c
}

// elsewhere reports whether a broker is on another machine.
func elsewhere(broker string) bool {
	host, _, err := net.SplitHostPort(broker)
	return err != nil || !web.IsLocal(host)
}

func kafkaInputSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Summary("Reads images from topics of Kafka, together with other processes.").
		Description(`The value of a record is the image. Processes with the same group share the partitions of the
topics: each image goes to one of them, and when a process starts, ends or is killed, the others take over. The offset
of the group moves past a record when it and all before it are delivered or dead letters. What was not delivered by a
process that was killed comes again. The name of an image, tkit_source, is TOPIC/PARTITION/OFFSET, and
tkit_modified the time of the record. kafka_topic, kafka_partition, kafka_offset and kafka_key are metadata, and so are
the headers under their names; those whose names begin with tkit_ or kafka_ are preceded by header_. Keys and headers
that are no text are in base64.`).
		Fields(clusterFields()...).
		Fields(
			service.NewStringListField("topics").Description("The topics. They must exist."),
			service.NewStringField("group").Description("The consumer group."),
			service.NewDurationField("session").Description("After what silence a process is taken for dead, and its partitions go to others. The brokers limit it.").Default("15s"),
			service.NewStringEnumField("start", "oldest", "newest").Description("Where a group begins that has read nothing yet.").Default("oldest"),
		)
}

// A kafkaInput is the input tkit_kafka.
type kafkaInput struct {
	run      *Run
	options  kafka.ConsumerOptions
	consumer *kafka.Consumer
}

func newKafkaInput(c *service.ParsedConfig, r *Run) (service.Input, error) {
	f := fields{config: c}
	o := kafka.ConsumerOptions{
		Cluster: f.cluster(r), Topics: f.texts("topics"), Group: f.text("group"), Newest: f.text("start") == "newest",
		Session: f.duration("session"), Once: r.Once, Log: r.Log,
	}
	switch {
	case f.err != nil:
		return nil, f.err
	case len(o.Topics) == 0:
		return nil, errors.New("topics is empty: name a topic")
	case o.Session < time.Second:
		return nil, errors.New("session must be at least a second")
	case o.Group == "":
		return nil, errors.New("group is empty: name the consumer group")
	}
	return &kafkaInput{run: r, options: o}, nil
}

func (k *kafkaInput) watchedBy(w *watch) {
	k.options.Answered = func(err error) { w.sawAny(context.Background(), time.Now(), err) }
}

func (k *kafkaInput) Connect(ctx context.Context) (err error) {
	if k.consumer, err = kafka.OpenConsumer(ctx, k.options); err != nil {
		return k.run.unlessRepeatable(err)
	}
	k.run.Counters.addInput(k.consumer.Waiting)
	return nil
}

func (k *kafkaInput) Read(ctx context.Context) (*service.Message, service.AckFunc, error) {
	r, err := k.consumer.Next(ctx)
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil, service.ErrEndOfInput
	case err != nil && ctx.Err() == nil:
		k.run.Fail(err)
		return nil, nil, service.ErrEndOfInput
	case err != nil:
		return nil, nil, err
	}
	return kafkaMessage(r.Record), func(_ context.Context, err error) error {
		if err != nil {
			r.Release()
		} else {
			r.Delivered()
		}
		return nil
	}, nil
}

func (k *kafkaInput) Close(context.Context) error {
	if k.consumer != nil {
		k.consumer.Close()
	}
	return nil
}

// unlessRepeatable ends the run with an error of connecting to Kafka, unless another
// attempt can help: the engine then connects again.
func (r *Run) unlessRepeatable(err error) error {
	if kafka.Refused(err) {
		r.Fail(err)
	}
	return err
}

// kafkaMessage returns the image of a record with its metadata.
func kafkaMessage(r *kgo.Record) *service.Message {
	m := service.NewMessage(r.Value)
	for _, h := range r.Headers {
		name := h.Key
		if strings.HasPrefix(name, "tkit_") || strings.HasPrefix(name, "kafka_") {
			name = "header_" + name
		}
		m.MetaSetMut(name, textOf(h.Value))
	}
	m.MetaSetMut("kafka_topic", r.Topic)
	m.MetaSetMut("kafka_partition", int(r.Partition))
	m.MetaSetMut("kafka_offset", int(r.Offset))
	if r.Key != nil {
		m.MetaSetMut("kafka_key", textOf(r.Key))
	}
	m.MetaSetMut(metaSource, fmt.Sprintf("%s/%d/%d", r.Topic, r.Partition, r.Offset))
	m.MetaSetMut(metaModified, r.Timestamp.UTC().Format(time.RFC3339Nano))
	return m
}

func textOf(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return base64.StdEncoding.EncodeToString(b)
}

func kafkaOutputSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Summary("Writes each image and its metadata to topics of Kafka.").
		Description(`The key of both is the SHA-256 of the image in hexadecimal. A repeated delivery writes them again,
so that the last record of a key counts; topics with cleanup.policy=compact keep only that one. The metadata
are the headers of the image; those that are no text are JSON. A delivered record is on all replicas in sync. An image that
the cluster refuses, such as one that is too large, becomes a dead letter; while Kafka does not answer, images wait.`).
		Fields(clusterFields()...).
		Fields(
			service.NewStringField("images").Description("The topic for the images. It must exist. By default they are not written.").Default(""),
			service.NewStringField("records").Description("The topic for the metadata as JSON, like the file of tkit_folder. It must exist. By default they are not written.").Default(""),
			maxKafkaBytesField(),
			service.NewOutputMaxInFlightField().Default(64),
		)
}

func newKafkaOutput(c *service.ParsedConfig, r *Run) (service.Output, int, error) {
	f := fields{config: c}
	cluster, s := f.cluster(r), &kafkaSink{images: f.text("images"), records: f.text("records")}
	maxBytes := f.maxKafkaBytes()
	if f.err == nil && s.images == "" && s.records == "" {
		f.err = errors.New("name a topic for the images, one for the records, or both")
	}
	return newImageOutput(&f, kafka.Stage, func(ctx context.Context) (imageSink, error) {
		p, err := kafka.OpenProducer(ctx, cluster, maxBytes)
		if err != nil {
			return nil, r.unlessRepeatable(err)
		}
		return &kafkaSink{p, s.images, s.records}, nil
	})
}

const (
	defaultKafkaBytes = 1_048_588
	maxKafkaBytes     = 1 << 30
)

func maxKafkaBytesField() *service.ConfigField {
	return service.NewIntField("max_bytes").Description("The limit of an image with its metadata: max.message.bytes of the topics, whose default this is.").Default(defaultKafkaBytes)
}

// maxKafkaBytes reads maxKafkaBytesField.
func (f *fields) maxKafkaBytes() int32 {
	n := f.number("max_bytes")
	if f.err == nil && (n < 1 || n > maxKafkaBytes) {
		f.err = fmt.Errorf("max_bytes must be between 1 and %d", maxKafkaBytes)
	}
	return int32(n)
}

// A kafkaSink keeps images and records in topics.
type kafkaSink struct {
	producer        *kafka.Producer
	images, records string
}

func (s *kafkaSink) Write(ctx context.Context, _ *service.Message, i sink.Image) error {
	key := []byte(i.SHA256)
	var both []*kgo.Record
	if s.images != "" {
		headers, err := kafkaHeaders(i.Record)
		if err != nil {
			return err
		}
		both = append(both, &kgo.Record{Topic: s.images, Key: key, Value: i.Content, Headers: headers})
	}
	if s.records != "" {
		both = append(both, &kgo.Record{Topic: s.records, Key: key, Value: i.Record})
	}
	return s.producer.Write(ctx, both...)
}

// kafkaHeaders returns the metadata of a record as headers, sorted by name.
func kafkaHeaders(record []byte) (headers []kgo.RecordHeader, err error) {
	var own map[string]any
	if err := json.Unmarshal(record, &own); err != nil {
		return nil, err
	}
	values := make(map[string]any)
	for name, value := range own {
		values["tkit_"+name] = value
	}
	if others, is := own[othersField].(map[string]any); is {
		delete(values, "tkit_"+othersField)
		maps.Copy(values, others)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		text, is := values[name].(string)
		if !is {
			encoded, err := json.Marshal(values[name])
			if err != nil {
				return nil, err
			}
			text = string(encoded)
		}
		headers = append(headers, kgo.RecordHeader{Key: name, Value: []byte(text)})
	}
	return headers, nil
}

func (s *kafkaSink) Close() error { return s.producer.Close() }
