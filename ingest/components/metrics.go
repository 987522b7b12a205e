package components

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/warpstreamlabs/bento/public/service"

	"tkit/ingest/status"
)

// Counters count the images of a run.
type Counters struct {
	Read      atomic.Int64 // from the input
	Delivered atomic.Int64 // to all outputs
	Failed    atomic.Int64 // attempts that failed
	Dead      atomic.Int64 // that became dead letters
	InFlight  atomic.Int64 // now between the input and the last output
	// Classified is one of the images that were classified last, nil if none was since
	// it was taken.
	Classified atomic.Pointer[Classified]
	// LastFailure is nil before the first failure.
	LastFailure atomic.Pointer[status.Failure]

	mu      sync.Mutex
	waiting []func() int
	watches []*watch
}

// A Classified is an image with its first prediction.
type Classified struct {
	status.Recent
	Image []byte
}

// addInput adds an input that says how many images it knows of and has not read yet.
func (c *Counters) addInput(waiting func() int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, waiting)
}

// Waiting returns the number of images that the inputs know of and have not read yet.
func (c *Counters) Waiting() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, waiting := range c.waiting {
		n += waiting()
	}
	return n
}

// prefix begins the names of all metrics of pipelines.
const prefix = "tkit_ingest_"

// latencies are the upper bounds of the buckets of durations, in seconds.
var latencies = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}

// Metrics are the Prometheus metrics of a run.
type Metrics struct {
	registry *prometheus.Registry
	groups   []int                // of the processors; see definition.Definition
	latency  prometheus.Histogram // from the reading of an image to its delivery
	givenUp  prometheus.Counter   // images whose message tkit_notify gave up
	missing  prometheus.Counter   // images for which tkit_lookup found nothing and left it out
}

// NewMetrics returns metrics of a run with its counters. The label pipeline of each is
// the pipeline's name. The groups are those of its processors in the engine's
// configuration: for each the index of its first processor in the file.
func NewMetrics(pipeline string, groups []int, c *Counters) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), groups: groups}
	reg := prometheus.WrapRegistererWith(prometheus.Labels{"pipeline": pipeline}, m.registry)
	for _, one := range []struct {
		name, help string
		value      *atomic.Int64
	}{
		{"read_total", "Images read from the inputs.", &c.Read},
		{"delivered_total", "Images that all outputs have accepted.", &c.Delivered},
		{"failed_attempts_total", "Attempts to process or deliver an image that failed.", &c.Failed},
		{"dead_letters_total", "Images that became dead letters.", &c.Dead},
	} {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: prefix + one.name, Help: one.help},
			func() float64 { return float64(one.value.Load()) }))
	}
	reg.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: prefix + "in_flight", Help: "Images between the input and the last output."},
			func() float64 { return float64(c.InFlight.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: prefix + "waiting", Help: "Images that the inputs know of and have not read yet."},
			func() float64 { return float64(c.Waiting()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: prefix + "down", Help: "Components that are down, for which images wait."},
			func() float64 { return float64(len(c.Outages())) }))
	m.latency = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: prefix + "delivery_seconds", Help: "Time from the reading of an image to its delivery, with all attempts.", Buckets: latencies,
	})
	m.missing = prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "lookup_missing_total", Help: "Images for which nothing was found, and the metadata left out."})
	m.givenUp = prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "notify_given_up_total", Help: "Images whose message could not be sent and was given up."})
	reg.MustRegister(m.latency, m.missing, m.givenUp)
	return m
}

// Gatherer returns the metrics for an HTTP handler.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// Components returns the counts of each component by its path in the pipeline's file.
func (m *Metrics) Components() (map[string]status.Component, error) {
	families, err := m.registry.Gather()
	if err != nil {
		return nil, err
	}
	all := make(map[string]status.Component)
	for _, f := range families {
		for _, one := range f.GetMetric() {
			for _, l := range one.GetLabel() {
				if l.GetName() == "path" {
					c := all[l.GetValue()]
					c.Add(strings.TrimPrefix(f.GetName(), prefix), one)
					all[l.GetValue()] = c
				}
			}
		}
	}
	return all, nil
}

// MetricsConfig is the configuration of the engine's metrics, in YAML.
const MetricsConfig = "tkit_metrics: {}"

// RegisterMetrics adds the exporter of the engine's own metrics: those of each
// component, labelled with its path in the pipeline's file and its label.
func RegisterMetrics(env *service.Environment, m *Metrics) error {
	err := env.RegisterMetricsExporter("tkit_metrics", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Logger) (service.MetricsExporter, error) {
			return exporter{m}, nil
		})
	if err != nil {
		return fmt.Errorf("components: %w", err)
	}
	return nil
}

// An exporter passes the engine's metrics on to Prometheus.
type exporter struct{ *Metrics }

// register registers a metric, or returns the one that has its name: the engine asks
// for the same name for each component.
func register[M prometheus.Collector](r prometheus.Registerer, metric M) M {
	err := r.Register(metric)
	if existing, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if same, ok := existing.ExistingCollector.(M); ok {
			return same
		}
	}
	return metric
}

// grouped is the engine's path of a processor: group, and the index in it.
var grouped = regexp.MustCompile(`^root\.pipeline\.processors\.(\d+)(?:\.try(?:\.(\d+))?)?(.*)$`)

// pathOf returns a component's path in the pipeline's file. The engine's path also
// names what a run puts around the components; the package definition says what.
func (m *Metrics) pathOf(engine string) string {
	if engine == "root.input" {
		return "delivery"
	}
	found := grouped.FindStringSubmatch(engine)
	if found == nil {
		return strings.NewReplacer("."+DeliveryInput+".input", "", ".reject_errored", "", "."+FanOut+".", ".broker.").Replace(engine)
	}
	group, err := strconv.Atoi(found[1])
	if err != nil || group >= len(m.groups) {
		return engine
	}
	at := m.groups[group]
	switch rest := found[3]; {
	case found[2] != "":
		within, err := strconv.Atoi(found[2])
		if err != nil {
			return engine
		}
		return fmt.Sprintf("root.pipeline.processors.%d%s", at+within, rest)
	case strings.HasPrefix(rest, ".catch"):
		return fmt.Sprintf("root.pipeline.processors.%d%s", at, rest)
	}
	return fmt.Sprintf("processors.%d", group) // a group as a whole, or a catch
}

// inFile returns the values of labels with the path as the pipeline's file has it.
func (e exporter) inFile(labels, values []string) []string {
	if i := slices.Index(labels, "path"); i >= 0 && i < len(values) {
		values = slices.Clone(values)
		values[i] = e.pathOf(values[i])
	}
	return values
}

func (e exporter) NewCounterCtor(name string, labels ...string) service.MetricsExporterCounterCtor {
	v := register(e.registry, prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name + "_total", Help: "Of the stream engine: " + name + "."}, labels))
	return func(values ...string) service.MetricsExporterCounter {
		return counter{v.WithLabelValues(e.inFile(labels, values)...)}
	}
}

func (e exporter) NewTimerCtor(name string, labels ...string) service.MetricsExporterTimerCtor {
	name = strings.TrimSuffix(name, "_ns") + "_seconds"
	v := register(e.registry, prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + name, Help: "Of the stream engine: " + name + ".", Buckets: latencies}, labels))
	return func(values ...string) service.MetricsExporterTimer {
		return timer{v.WithLabelValues(e.inFile(labels, values)...)}
	}
}

func (e exporter) NewGaugeCtor(name string, labels ...string) service.MetricsExporterGaugeCtor {
	v := register(e.registry, prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + name, Help: "Of the stream engine: " + name + "."}, labels))
	return func(values ...string) service.MetricsExporterGauge {
		return gauge{v.WithLabelValues(e.inFile(labels, values)...)}
	}
}

func (exporter) Close(context.Context) error { return nil }

type counter struct{ prometheus.Counter }

func (c counter) Incr(n int64) { c.Add(float64(n)) }

type timer struct{ prometheus.Observer }

// Timing observes nanoseconds.
func (t timer) Timing(delta int64) { t.Observe(time.Duration(delta).Seconds()) }

type gauge struct{ prometheus.Gauge }

func (g gauge) Set(value int64) { g.Gauge.Set(float64(value)) }
