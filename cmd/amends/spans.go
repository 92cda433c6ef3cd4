package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"google.golang.org/grpc"

	"github.com/makeamends/amends/internal/telemetry"
)

// flushTime is how long the end of a command waits for its traces to leave: the answer is there, and somebody wants to go on.
const flushTime = time.Second

// traceCalls has a command that calls the service make spans, if the standard variables name a collector. The service goes on with them.
func (a *app) traceCalls(cmd *cobra.Command) error {
	if cmd.Flag("server") == nil {
		return nil
	}
	traces, err := telemetry.Client(cmd.Context(), "amends-cli", release)
	if err != nil {
		return &usageError{err: err}
	}
	if !traces.Tracing() {
		return nil
	}
	var lost atomic.Bool
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) { lost.Store(true) }))
	before := otel.GetTracerProvider()
	otel.SetTracerProvider(traces.Provider())
	a.flush = func() {
		ctx, cancel := context.WithTimeout(context.Background(), flushTime)
		defer cancel()
		otel.SetTracerProvider(before)
		if err := traces.Shutdown(ctx); err != nil || lost.Load() {
			fmt.Fprintln(a.stderr, "amends: warning: the trace of this command could not be sent to where OTEL_EXPORTER_OTLP_ENDPOINT points")
		}
	}
	return nil
}

// traced makes a span of every call as the caller sees it: finding the service, and all tries.
func traced(command string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, request, answer any, conn *grpc.ClientConn, call grpc.UnaryInvoker, options ...grpc.CallOption) error {
		ctx, span := otel.Tracer("amends").Start(ctx, command)
		defer span.End()
		err := call(ctx, method, request, answer, conn, options...)
		if err != nil {
			span.SetStatus(codes.Error, "") // the tries say why
		}
		return err
	}
}
