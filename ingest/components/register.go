package components

import (
	"fmt"
	"maps"
	"slices"

	"github.com/warpstreamlabs/bento/public/service"
	"gopkg.in/yaml.v3"

	// The components of the engine; the package definition says which of them
	// pipelines may use.
	_ "github.com/warpstreamlabs/bento/public/components/io"
	_ "github.com/warpstreamlabs/bento/public/components/pure"
)

// A component is one of tkit's own.
type component struct {
	spec   func() *service.ConfigSpec
	add    func(env *service.Environment, name string, r *Run) error
	create func(c *service.ParsedConfig, r *Run) error // creates one and discards it
}

// The names of the inputs that watch a folder.
const (
	directoryName = "tkit_directory"
	hdfsName      = "tkit_hdfs"
)

// Classifier is the name of the processor that classifies.
const Classifier = "tkit_classify"

// own are tkit's components by their kinds and names. An input and an output may have
// the same name.
var own = map[string]map[string]component{
	"input": {
		directoryName: inputOf(directorySpec, newDirectory),
		hdfsName:      inputOf(hdfsInputSpec, newHDFSInput),
		KafkaInput:    inputOf(kafkaInputSpec, newKafkaInput),
	},
	"processor": {
		Classifier:    processorOf(classifySpec, newClassifier),
		"tkit_lookup": processorOf(lookupSpec, newLookup),
	},
	"output": {
		"tkit_folder":     outputOf(folderSpec, newFolder),
		hdfsName:          outputOf(hdfsOutputSpec, newHDFSOutput),
		"tkit_kafka":      outputOf(kafkaOutputSpec, newKafkaOutput),
		"tkit_sql":        outputOf(sqlSpec, newSQL),
		"tkit_opensearch": outputOf(openSearchSpec, newOpenSearch),
		"tkit_notify":     outputOf(notifySpec, newNotify),
	},
}

func inputOf(spec func() *service.ConfigSpec, create func(*service.ParsedConfig, *Run) (service.Input, error)) component {
	return component{
		spec: spec,
		add: func(env *service.Environment, name string, r *Run) error {
			return env.RegisterInput(name, spec(), func(c *service.ParsedConfig, of *service.Resources) (service.Input, error) {
				i, err := create(c, r)
				if err != nil {
					return nil, err
				}
				return watchInput(i, r.watch(name, of.Label())), nil
			})
		},
		create: func(c *service.ParsedConfig, r *Run) error {
			_, err := create(c, r)
			return err
		},
	}
}

func processorOf(spec func() *service.ConfigSpec, create func(*service.ParsedConfig, *Run) (service.Processor, error)) component {
	return component{
		spec: spec,
		add: func(env *service.Environment, name string, r *Run) error {
			return env.RegisterProcessor(name, spec(), func(c *service.ParsedConfig, of *service.Resources) (service.Processor, error) {
				p, err := create(c, r)
				if err != nil {
					return nil, err
				}
				return &watchedProcessor{p, r.watch(name, of.Label())}, nil
			})
		},
		create: func(c *service.ParsedConfig, r *Run) error {
			_, err := create(c, r)
			return err
		},
	}
}

func outputOf(spec func() *service.ConfigSpec, create func(*service.ParsedConfig, *Run) (service.Output, int, error)) component {
	return component{
		spec: spec,
		add: func(env *service.Environment, name string, r *Run) error {
			return env.RegisterOutput(name, spec(), func(c *service.ParsedConfig, of *service.Resources) (service.Output, int, error) {
				o, parallel, err := create(c, r)
				if err != nil {
					return nil, 0, err
				}
				return &watchedOutput{o, r.watch(name, of.Label())}, parallel, nil
			})
		},
		create: func(c *service.ParsedConfig, r *Run) error {
			_, _, err := create(c, r)
			return err
		},
	}
}

// Names returns the names of tkit's components of a kind, sorted.
func Names(kind string) []string { return slices.Sorted(maps.Keys(own[kind])) }

// Register adds tkit's components to an environment of the engine. Without a run they
// can be checked and documented, and not started.
func Register(env *service.Environment, r *Run) error {
	for _, named := range own {
		for name, c := range named {
			if err := c.add(env, name, r); err != nil {
				return fmt.Errorf("components: %w", err)
			}
		}
	}
	return nil
}

// RegisterReplay adds the input whose images are the run's dead letters.
func RegisterReplay(env *service.Environment, r *Run) error {
	err := env.RegisterInput(LettersInput, service.NewConfigSpec(), func(*service.ParsedConfig, *service.Resources) (service.Input, error) {
		return &lettersInput{run: r}, nil
	})
	if err != nil {
		return fmt.Errorf("components: %w", err)
	}
	return nil
}

// CheckConfig checks the configuration of one of tkit's components as its start would,
// and returns nil for others. The configuration is given as YAML, with the component's
// name.
func CheckConfig(kind, name, config string) error {
	o, ours := own[kind][name]
	if !ours {
		return nil
	}
	c, err := parseConfig(name, o.spec(), config)
	if err != nil {
		return err
	}
	if err := o.create(c, &Run{}); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// parseConfig reads the fields of a component.
func parseConfig(name string, spec *service.ConfigSpec, config string) (*service.ParsedConfig, error) {
	var named map[string]yaml.Node
	if err := yaml.Unmarshal([]byte(config), &named); err != nil {
		return nil, err
	}
	node := named[name]
	own, err := yaml.Marshal(&node)
	if err != nil {
		return nil, err
	}
	return spec.ParseYAML(string(own), nil)
}
