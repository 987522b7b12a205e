package rpc

import (
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// Health implements gRPC's health service, with one status for the server as a
// whole ("") and for its two services.
type Health struct{ *health.Server }

// NewHealth returns a Health with the status NOT_SERVING.
func NewHealth() *Health {
	h := &Health{health.NewServer()}
	h.Set(false)
	return h
}

// Set sets whether the server is ready.
func (h *Health) Set(ready bool) {
	status := grpc_health_v1.HealthCheckResponse_NOT_SERVING
	if ready {
		status = grpc_health_v1.HealthCheckResponse_SERVING
	}
	for _, service := range []string{"", predictionService, modelService} {
		h.SetServingStatus(service, status)
	}
}
