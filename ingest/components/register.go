package components

import (
	"errors"
	"fmt"

	"github.com/warpstreamlabs/bento/public/service"
	"gopkg.in/yaml.v3"

	// The components of the engine; the package definition says which of them
	// pipelines may use.
	_ "github.com/warpstreamlabs/bento/public/components/io"
	_ "github.com/warpstreamlabs/bento/public/components/pure"
)

// The names of tkit's components.
const (
	Directory  = "tkit_directory"
	Classifier = "tkit_classify"
	Folder     = "tkit_folder"
)

// Register adds tkit's components to an environment of the engine. Without a run they
// can be checked and documented, and not started.
func Register(env *service.Environment, r *Run) error {
	err := errors.Join(
		env.RegisterInput(Directory, directorySpec(), func(c *service.ParsedConfig, _ *service.Resources) (service.Input, error) {
			return newDirectory(c, r)
		}),
		env.RegisterProcessor(Classifier, classifySpec(), func(c *service.ParsedConfig, _ *service.Resources) (service.Processor, error) {
			return newClassifier(c, r)
		}),
		env.RegisterOutput(Folder, folderSpec(), func(c *service.ParsedConfig, _ *service.Resources) (service.Output, int, error) {
			return newFolder(c, r)
		}),
	)
	if err != nil {
		return fmt.Errorf("components: %w", err)
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
func CheckConfig(name, config string) error {
	specs := map[string]*service.ConfigSpec{Directory: directorySpec(), Classifier: classifySpec(), Folder: folderSpec()}
	spec, ours := specs[name]
	if !ours {
		return nil
	}
	c, err := parseConfig(name, spec, config)
	if err != nil {
		return err
	}
	switch name {
	case Directory:
		_, err = newDirectory(c, &Run{})
	case Classifier:
		_, err = newClassifier(c, &Run{})
	case Folder:
		_, _, err = newFolder(c, &Run{})
	}
	if err != nil {
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
