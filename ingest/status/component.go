package status

import dto "github.com/prometheus/client_model/go"

// A Component is what a component of the pipeline has done.
type Component struct {
	Images int64 `json:"images"` // that it has received
	Failed int64 `json:"failed"`
	// Seconds is the sum of the time of all images in it.
	Seconds float64 `json:"seconds"`
}

// Add adds a metric of the engine, by its name, to the component's counts.
func (c *Component) Add(name string, m *dto.Metric) {
	switch name {
	case "input_received_total", "processor_received_total":
		c.Images += int64(m.GetCounter().GetValue())
	case "output_sent_total", "output_error_total":
		c.Images += int64(m.GetCounter().GetValue())
	}
	switch name {
	case "output_error_total", "processor_error_total":
		c.Failed += int64(m.GetCounter().GetValue())
	case "processor_latency_seconds", "output_latency_seconds":
		c.Seconds += m.GetHistogram().GetSampleSum()
	}
}
