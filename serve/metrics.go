package serve

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tkit/inference"
)

// Metrics are the measurements of requests. Every name begins with tkit_.
type Metrics struct {
	requests *prometheus.CounterVec   // front end, method, model, version, outcome
	latency  *prometheus.HistogramVec // front end, method, model
}

// NewMetrics makes the measurements and registers them.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tkit_requests_total", Help: "Requests by front end, method, model, version and outcome.",
		}, []string{"api", "method", "model", "version", "outcome"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tkit_request_seconds", Help: "Time from a request's arrival to its answer.", Buckets: inference.Seconds,
		}, []string{"api", "method", "model"}),
	}
	r.MustRegister(m.requests, m.latency)
	return m
}

// Request records one finished request. The version is "" where none was
// found. The outcome is "ok" or an [inference.Reason]. A model that is not served
// is given as "", so that names invented by callers make no series.
func (m *Metrics) Request(api, method, model, version, outcome string, took time.Duration) {
	m.requests.WithLabelValues(api, method, model, version, outcome).Inc()
	m.latency.WithLabelValues(api, method, model).Observe(took.Seconds())
}
