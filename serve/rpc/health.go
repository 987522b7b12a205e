package rpc

import (
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// Health answers gRPC's health service: for the server as a whole ("") and for
// its two services alike.
type Health struct{ *health.Server }

// NewHealth is not serving until it is told.
func NewHealth() *Health {
	h := &Health{health.NewServer()}
	h.Set(false)
	return h
}

// Set says whether the server is ready.
func (h *Health) Set(ready bool) {
	status := grpc_health_v1.HealthCheckResponse_NOT_SERVING
	if ready {
		status = grpc_health_v1.HealthCheckResponse_SERVING
	}
	for _, service := range []string{"", predictionService, modelService} {
		h.SetServingStatus(service, status)
	}
}
