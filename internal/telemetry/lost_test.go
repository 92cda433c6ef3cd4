package telemetry

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A dead collector fills no log.
func TestLostIsToldNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		handler := Lost(slog.New(slog.NewTextHandler(&log, nil)))
		for range 2 {
			for range 1000 {
				handler.Handle(errors.New("refused"))
			}
			time.Sleep(lostEvery)
		}
		handler.Handle(errors.New("refused"))
		var times []string
		for line := range strings.Lines(log.String()) {
			_, n, _ := strings.Cut(strings.TrimSpace(line), "times=")
			times = append(times, n)
		}
		if got := strings.Join(times, " "); got != "1 1000 1000" {
			t.Errorf("told %s times, want 1, 1000 and 1000", got)
		}
	})
}
