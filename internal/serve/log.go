package serve

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/internal/auth"
	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/rpc"
	"github.com/makeamends/amends/internal/telemetry"
)

// end counts the call and logs it: which method, how it ended and why, and how
// long it took.
func (s *Server) end(ctx context.Context, c call, err error) {
	code, reason := status.Code(err), ""
	var refused *rpc.RefusedError
	if errors.As(err, &refused) {
		reason = refused.Reason()
	}
	c.method.Ended(code, reason)
	s.log(ctx, entry{"call", c.method, code, refused, slog.Float64("ms", float64(time.Since(c.start).Microseconds())/1000)})
}

// logItems writes of items that were refused by a fault of the service what is
// written of such a call: their call or stream goes on, and ends well. They are
// named by where they stand in it.
func (s *Server) logItems(ctx context.Context, items rpc.FailedItems) {
	method, code := s.method(items.Method), status.Code(items.Err)
	if levelOf(method, code) >= slog.LevelError {
		s.log(ctx, entry{"items", method, code, items.Err, slog.Any("items", items.Numbers)})
	}
}

// entry is what the log says of something that has ended.
type entry struct {
	what    string
	method  *telemetry.Method
	code    codes.Code
	refused *rpc.RefusedError // nil: it was not, or not by the service
	more    slog.Attr
}

func (s *Server) log(ctx context.Context, e entry) {
	level := levelOf(e.method, e.code)
	if !s.config.Logger.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 6)
	attrs = append(attrs, slog.String("method", e.method.Name), slog.String("code", e.code.String()), e.more)
	if caller := auth.CallerOf(ctx).Name; caller != "" {
		attrs = append(attrs, slog.String("caller", caller))
	}
	if e.refused != nil {
		attrs = append(attrs, slog.String("reason", e.refused.Reason()))
		if level >= slog.LevelWarn {
			attrs = append(attrs, slog.String("cause", ledger.Cause(e.refused).Error()))
		}
	}
	s.config.Logger.LogAttrs(ctx, level, e.what, attrs...)
}

// levelOf: what operators must look at stands out, and health checks stay
// below what is usually shown.
func levelOf(method *telemetry.Method, code codes.Code) slog.Level {
	switch {
	case code == codes.Internal || code == codes.Unknown || code == codes.DataLoss:
		return slog.LevelError
	case code == codes.Unavailable || code == codes.ResourceExhausted || code == codes.DeadlineExceeded ||
		code == codes.Unauthenticated || code == codes.PermissionDenied:
		return slog.LevelWarn
	case strings.HasPrefix(method.Name, "grpc."):
		return slog.LevelDebug
	default:
		return slog.LevelInfo
	}
}
