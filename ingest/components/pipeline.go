package components

import (
	"errors"

	"github.com/warpstreamlabs/bento/public/bloblang"
	"github.com/warpstreamlabs/bento/public/service"
)

// The fields of a pipeline that the engine does not know.
const (
	nameField     = "name"
	deliveryField = "delivery"

	attemptsField    = "attempts"
	inFlightField    = "in_flight"
	deadLettersField = "dead_letters"
	orderedByField   = "ordered_by"
)

func pipelineFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewStringField(nameField).Description("The name of the pipeline, unique in the home: its state and its dead letters are kept under it."),
		service.NewObjectField(deliveryField,
			service.NewIntField(attemptsField).Description("How often an image is tried before it becomes a dead letter. Images that cannot be decoded become one at once; outages are waited for.").Default(5),
			service.NewIntField(inFlightField).Description("The number of images between the input and the last output.").Default(64),
			service.NewStringField(deadLettersField).Description("The folder of dead letters, relative to the pipeline's file. By default it is in the home, under the pipeline's name.").Default(""),
			service.NewBloblangField(orderedByField).Description("A mapping that gives a key, such as `@kafka_key`: images of one key are delivered one after the other in the order in which they were read, also when attempts fail. Those without a key are not ordered. An image for which the mapping fails becomes a dead letter.").Default(""),
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
	DeadLetters        string             // "" is the default
	OrderedBy          *bloblang.Executor // nil if the order does not matter
}

// ParseDelivery reads the fields that PipelineFields names, given as YAML.
func ParseDelivery(text string) (d Delivery, err error) {
	c, err := service.NewConfigSpec().Fields(pipelineFields()...).ParseYAML(text, nil)
	if err != nil {
		return d, err
	}
	top, f := fields{config: c}, fields{config: c.Namespace(deliveryField)}
	d = Delivery{Name: top.text(nameField), Attempts: f.number(attemptsField), InFlight: f.number(inFlightField), DeadLetters: f.text(deadLettersField)}
	if f.text(orderedByField) != "" {
		d.OrderedBy = field(&f, orderedByField, f.config.FieldBloblang)
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

// PipelineFields are the names of the fields of ParseDelivery.
func PipelineFields() []string { return []string{nameField, deliveryField} }

// DeliveryFields are the names of the fields of the field delivery.
func DeliveryFields() []string {
	return []string{attemptsField, inFlightField, deadLettersField, orderedByField}
}
