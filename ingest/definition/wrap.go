package definition

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"tkit/ingest/components"
	"tkit/ingest/graph"
)

// wrap puts the delivery around the input, and what refuses failed images around each
// output, and groups the processors. The engine's own error_handling does not do that
// reliably: some processors and mappings switch it off.
func wrap(engine *yaml.Node) (groups []int) {
	for i := 0; i+1 < len(engine.Content); i += 2 {
		switch value := engine.Content[i+1]; engine.Content[i].Value {
		case "input":
			engine.Content[i+1] = mapping(components.DeliveryInput, mapping("input", value))
		case "output":
			refuseFailed(value)
		case "pipeline":
			setThreads(value)
			groups = group(graph.Field(value, "processors"))
		}
	}
	return groups
}

// group puts processors in a row into a try, up to each catch: an image for which one
// fails skips those after it. Otherwise they would process it, and fail themselves with
// an error that hides the first. It returns the index of the first processor of each
// group.
func group(processors *yaml.Node) (groups []int) {
	if processors == nil {
		return nil
	}
	var grouped []*yaml.Node
	var row *yaml.Node
	for i, p := range processors.Content {
		if graph.Field(p, "catch") != nil {
			row = nil
			grouped = append(grouped, p)
			groups = append(groups, i)
			continue
		}
		if row == nil {
			row = &yaml.Node{Kind: yaml.SequenceNode}
			grouped = append(grouped, mapping("try", row))
			groups = append(groups, i)
		}
		row.Content = append(row.Content, p)
	}
	processors.Content = grouped
	return groups
}

// threads is the number of images that are processed at a time, if the pipeline does
// not say: enough for one batch in the trunk and the next one.
const threads = "16"

func setThreads(pipeline *yaml.Node) {
	if graph.Field(pipeline, "threads") == nil {
		pipeline.Content = append(pipeline.Content, scalar("threads"), scalar(threads))
	}
}

// fansOut reports whether a broker writes to all of its outputs, and whether to one
// after the other.
func fansOut(broker *yaml.Node) (all, sequential bool) {
	pattern := graph.Field(broker, "pattern")
	if pattern == nil {
		return true, false
	}
	name := strings.TrimSuffix(pattern.Value, "_fail_fast")
	return name == "fan_out" || name == "fan_out_sequential", name == "fan_out_sequential"
}

// fanOut returns the configuration of components.FanOut in the place of a broker.
func fanOut(broker *yaml.Node, sequential bool) *yaml.Node {
	config := mapping(components.FanOutOutputs, graph.Field(broker, "outputs"))
	if sequential {
		config.Content = append(config.Content, scalar(components.FanOutSequential), scalar("true"))
	}
	return config
}

// outputsIn are the fields with the outputs of the allowed outputs that contain others;
// "" is the configuration itself. A switch has its outputs in its cases.
var outputsIn = map[string]string{"broker": "outputs", "fallback": ""}

// refuseFailed wraps each output that contains no others in reject_errored, inside of
// its own processors. So is a switch, whose checks need not expect an image that has
// failed; an image that no case takes fails, where the engine would drop it.
func refuseFailed(output *yaml.Node) {
	for i := 0; i+1 < len(output.Content); i += 2 {
		key, value := output.Content[i], output.Content[i+1]
		field, contains := outputsIn[key.Value]
		switch {
		case contains && field == "":
			eachOutput(value)
		case key.Value == switchOutput:
			for _, c := range graph.Field(value, "cases").Content {
				refuseFailed(graph.Field(c, "output"))
			}
			set(value, "strict_mode", "true")
			set(value, "retry_until_success", "false") // the delivery tries again
			output.Content[i] = scalar("reject_errored")
			output.Content[i+1] = mapping(key.Value, value)
		case contains:
			eachOutput(graph.Field(value, field))
			if all, sequential := fansOut(value); all {
				output.Content[i] = scalar(components.FanOut)
				output.Content[i+1] = fanOut(value, sequential)
			}
		case slices.Contains(allowed("output"), key.Value):
			output.Content[i] = scalar("reject_errored")
			output.Content[i+1] = mapping(key.Value, value)
		}
	}
}

const switchOutput = "switch"

func eachOutput(outputs *yaml.Node) {
	if outputs == nil {
		return
	}
	for _, one := range outputs.Content {
		refuseFailed(one)
	}
}

// set sets a field to a scalar.
func set(to *yaml.Node, field, value string) {
	if node := graph.Field(to, field); node != nil {
		*node = *scalar(value)
		return
	}
	to.Content = append(to.Content, scalar(field), scalar(value))
}
