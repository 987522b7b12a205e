package rpc

import (
	"context"
	"strings"

	"google.golang.org/grpc/tap"

	"tkit/internal/access"
)

// authenticate puts the caller into the context of calls, before anything of
// their messages is read.
func (s *service) authenticate(ctx context.Context, info *tap.Info) (context.Context, error) {
	if strings.HasPrefix(info.FullMethodName, "/grpc.health.v1.Health/") {
		return ctx, nil
	}
	header := ""
	if given := info.Header.Get("authorization"); len(given) > 0 {
		header = given[0]
	}
	caller, err := s.Authenticate(header)
	if err != nil {
		return nil, statusError(err)
	}
	return access.WithCaller(ctx, caller), nil
}
