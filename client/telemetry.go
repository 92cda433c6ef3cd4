package client

import (
	"slices"
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/grpc/stats"
)

// telemetry makes a span and a measurement of every try of a call, and sends
// the trace on. Watches and health checks last for hours, which is no length of
// a call, so they are left out.
func telemetry(options []otelgrpc.Option) stats.Handler {
	return otelgrpc.NewClientHandler(slices.Concat([]otelgrpc.Option{
		otelgrpc.WithPropagators(propagation.TraceContext{}),
		otelgrpc.WithFilter(func(call *stats.RPCTagInfo) bool {
			return !strings.HasSuffix(call.FullMethodName, "/WatchCases") && !strings.HasPrefix(call.FullMethodName, "/grpc.health.")
		}),
	}, options)...)
}
