package inference

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the measurements of managers, loaders and batchers. A server
// registers them with Prometheus: Metrics is a [prometheus.Collector]. Every name
// begins with tkit_.
type Metrics struct {
	states  *prometheus.GaugeVec   // model, version, state
	loads   *prometheus.CounterVec // model, outcome
	missing *prometheus.GaugeVec   // model
	failing *prometheus.GaugeVec   // model

	batchSize *prometheus.HistogramVec // trunk, as all below
	passTime  *prometheus.HistogramVec
	queueTime *prometheus.HistogramVec
	waiting   *prometheus.GaugeVec
	joined    *prometheus.CounterVec
	expired   *prometheus.CounterVec
	rejected  *prometheus.CounterVec
}

var _ prometheus.Collector = (*Metrics)(nil)

// Seconds are the buckets of every duration: 0.5 ms to 32 s.
var Seconds = prometheus.ExponentialBuckets(0.0005, 2, 17)

// NewMetrics returns measurements that are not registered yet.
func NewMetrics() *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	}
	return &Metrics{
		states:    gauge("tkit_servable_state", "1 for the state each version is in.", "model", "version", "state"),
		missing:   gauge("tkit_missing", "Wanted labels and versions of a model that are not available.", "model"),
		failing:   gauge("tkit_failing_versions", "Wanted versions of a model whose last load failed.", "model"),
		loads:     counter("tkit_loads_total", "Loads of a version by outcome.", "model", "outcome"),
		batchSize: histogram("tkit_batch_images", "Images in a batch.", []float64{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64}, "trunk"),
		passTime:  histogram("tkit_pass_seconds", "Time of one pass of a batch through a trunk.", Seconds, "trunk"),
		queueTime: histogram("tkit_queue_seconds", "Time an image waits for its trunk.", Seconds, "trunk"),
		waiting:   gauge("tkit_queue_images", "Images being decoded or waiting for their trunk.", "trunk"),
		joined:    counter("tkit_joined_images_total", "Images that shared the pass of an identical one.", "trunk"),
		expired:   counter("tkit_expired_images_total", "Images dropped because their deadline passed in the queue.", "trunk"),
		rejected:  counter("tkit_rejected_images_total", "Images refused because the queue was full.", "trunk"),
	}
}

func (m *Metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.states, m.loads, m.missing, m.failing,
		m.batchSize, m.passTime, m.queueTime, m.waiting, m.joined, m.expired, m.rejected}
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, c := range m.collectors() {
		c.Describe(to)
	}
}

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	for _, c := range m.collectors() {
		c.Collect(to)
	}
}

// state records a version's change from one state to another; "" is no state.
func (m *Metrics) state(model, version, from, to string) {
	if from != "" {
		m.states.DeleteLabelValues(model, version, from)
	}
	if to != "" {
		m.states.WithLabelValues(model, version, to).Set(1)
	}
}

// readiness records how many wanted versions and labels of a model are not
// available, and how many of its versions fail to load.
func (m *Metrics) readiness(model string, missing, failing int) {
	m.missing.WithLabelValues(model).Set(float64(missing))
	m.failing.WithLabelValues(model).Set(float64(failing))
}

// forget removes the readiness of a model that is no longer wanted.
func (m *Metrics) forget(model string) {
	m.missing.DeleteLabelValues(model)
	m.failing.DeleteLabelValues(model)
}

// batchMetrics are the measurements of one trunk's batcher.
type batchMetrics struct {
	size, pass, queued        prometheus.Observer
	waiting                   prometheus.Gauge
	joined, expired, rejected prometheus.Counter
}

func (m *Metrics) batch(trunk string) batchMetrics {
	return batchMetrics{
		size:     m.batchSize.WithLabelValues(trunk),
		pass:     m.passTime.WithLabelValues(trunk),
		queued:   m.queueTime.WithLabelValues(trunk),
		waiting:  m.waiting.WithLabelValues(trunk),
		joined:   m.joined.WithLabelValues(trunk),
		expired:  m.expired.WithLabelValues(trunk),
		rejected: m.rejected.WithLabelValues(trunk),
	}
}

func (b batchMetrics) passes(rows int, took time.Duration) {
	b.size.Observe(float64(rows))
	b.pass.Observe(took.Seconds())
}
