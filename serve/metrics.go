package serve

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tkit/inference"
)

// Metrics are the metrics of requests. Every name begins with tkit_.
type Metrics struct {
	requests *prometheus.CounterVec   // front end, method, model, version, outcome
	latency  *prometheus.HistogramVec // front end, method, model
}

// NewMetrics creates the metrics and registers them.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tkit_requests_total", Help: "Requests by front end, method, model, version and outcome.",
		}, []string{"api", "method", "model", "version", "outcome"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "tkit_request_seconds", Help: "Time from a request's arrival until its response is ready.", Buckets: inference.Seconds,
		}, []string{"api", "method", "model"}),
	}
	r.MustRegister(m.requests, m.latency)
	return m
}

// request records one finished request. Model and version are "" if none was
// found. The outcome is "ok" or an [inference.Reason].
func (m *Metrics) request(r Request, model, version, outcome string, took time.Duration) {
	m.requests.WithLabelValues(r.API, r.Method, model, version, outcome).Inc()
	m.latency.WithLabelValues(r.API, r.Method, model).Observe(took.Seconds())
}
