package telemetry

import (
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
)

// lostEvery is how often the log is told that telemetry is lost: a collector that
// is dead refuses every batch.
const lostEvery = time.Minute

// Lost tells a log of spans and measurements that could not be sent, and how many
// times that has happened since it was last told.
func Lost(logger *slog.Logger) otel.ErrorHandler { return &lost{logger: logger} }

type lost struct {
	logger *slog.Logger
	mu     sync.Mutex
	quiet  time.Time // until then nothing is told
	times  int
}

// Handle takes one fault of the exporters.
func (l *lost) Handle(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.times++
	now := time.Now()
	if now.Before(l.quiet) {
		return
	}
	l.logger.Warn("telemetry is lost", "error", err, "times", l.times)
	l.quiet, l.times = now.Add(lostEvery), 0
}
