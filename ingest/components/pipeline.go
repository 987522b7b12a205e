package components

import (
	"errors"
	"fmt"

	"github.com/warpstreamlabs/bento/public/bloblang"
	"github.com/warpstreamlabs/bento/public/service"

	"tkit/ingest/kafka"
)

// The fields of a pipeline that the engine does not know.
const (
	nameField     = "name"
	deliveryField = "delivery"

	attemptsField    = "attempts"
	inFlightField    = "in_flight"
	deadLettersField = "dead_letters"
	orderedByField   = "ordered_by"

	deadLetterTopicField = "dead_letter_topic"
	topicField           = "topic"
)

func pipelineFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewStringField(nameField).Description("The name of the pipeline, unique in the home: its state and its dead letters are kept under it."),
		service.NewObjectField(deliveryField,
			service.NewIntField(attemptsField).Description("How often an image is tried before it becomes a dead letter. Images that cannot be decoded become one at once; outages are waited for.").Default(5),
			service.NewIntField(inFlightField).Description("The number of images between the input and the last output.").Default(64),
			service.NewStringField(deadLettersField).Description("The folder of dead letters, relative to the pipeline's file. By default it is in the home, under the pipeline's name. With dead_letter_topic it has only the letters that the topic refuses.").Default(""),
			service.NewBloblangField(orderedByField).Description("A mapping that gives a key, such as `@kafka_key`: images of one key are delivered one after the other in the order in which they were read, also when attempts fail. Those without a key are not ordered. An image for which the mapping fails becomes a dead letter.").Default(""),
			service.NewObjectField(deadLetterTopicField, append(clusterFields(),
				service.NewStringField(topicField).Description("The topic of Kafka for dead letters, instead of a folder. It must exist."),
				maxKafkaBytesField(),
			)...).Optional(),
		).Description("What happens to images that cannot be delivered."),
	}
}

// Schema returns the specification of a pipeline's file.
func Schema(env *service.Environment) *service.ConfigSchema {
	return env.FullConfigSchema("", "").Fields(pipelineFields()...)
}

// A Delivery is what a pipeline's file says about its delivery.
type Delivery struct {
	Name               string
	Attempts, InFlight int
	DeadLetters        string // the folder; "" is the default
	// DeadLetterTopic is nil if dead letters are in a folder. It has neither a log nor a
	// folder.
	DeadLetterTopic *kafka.LettersOptions
	OrderedBy       *bloblang.Executor // nil if the order does not matter
}

// ParseDelivery reads the fields that PipelineFields names, given as YAML.
// Paths in it are relative to a folder.
func ParseDelivery(text, folder string) (d Delivery, err error) {
	c, err := service.NewConfigSpec().Fields(pipelineFields()...).ParseYAML(text, nil)
	if err != nil {
		return d, err
	}
	top, f := fields{config: c}, fields{config: c.Namespace(deliveryField)}
	d = Delivery{Name: top.text(nameField), Attempts: f.number(attemptsField), InFlight: f.number(inFlightField), DeadLetters: f.text(deadLettersField)}
	if f.text(orderedByField) != "" {
		d.OrderedBy = field(&f, orderedByField, f.config.FieldBloblang)
	}
	if f.err == nil && c.Contains(deliveryField, deadLetterTopicField) {
		d.DeadLetterTopic, f.err = letterTopic(c.Namespace(deliveryField, deadLetterTopicField), d.Name, folder)
	}
	switch {
	case top.err != nil:
		return d, top.err
	case f.err != nil:
		return d, f.err
	case d.Attempts < 1 || d.InFlight < 1:
		return d, errors.New("delivery: attempts and in_flight must be at least 1")
	}
	return d, nil
}

// letterTopic reads the topic for the dead letters of a pipeline.
func letterTopic(c *service.ParsedConfig, pipeline, folder string) (*kafka.LettersOptions, error) {
	f := fields{config: c}
	o := &kafka.LettersOptions{
		Cluster: f.cluster(&Run{Folder: folder}), Topic: f.text(topicField), Group: "tkit-replay-" + pipeline, MaxBytes: f.maxKafkaBytes(),
	}
	if f.err == nil && o.Topic == "" {
		f.err = errors.New("topic is empty")
	}
	if f.err != nil {
		return nil, fmt.Errorf("delivery: %s: %w", deadLetterTopicField, f.err)
	}
	return o, nil
}

// PipelineFields are the names of the fields of ParseDelivery.
func PipelineFields() []string { return []string{nameField, deliveryField} }

// DeliveryFields are the names of the fields of the field delivery, also of nested ones.
func DeliveryFields() []string {
	return append([]string{attemptsField, inFlightField, deadLettersField, orderedByField, deadLetterTopicField, topicField}, clusterNames...)
}
