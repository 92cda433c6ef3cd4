package serve

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// serveOps answers operators.
func (s *Server) serveOps() {
	if s.opsListener == nil {
		return
	}
	s.inside = s.newInside()
	s.ops = &http.Server{Handler: s.opsHandler(), ReadHeaderTimeout: 5 * time.Second, Protocols: new(http.Protocols)}
	s.ops.Protocols.SetHTTP1(true)
	s.ops.Protocols.SetUnencryptedHTTP2(true) // gRPC speaks nothing else
	s.loops.Go(func() {
		if err := s.ops.Serve(s.opsListener); !errors.Is(err, http.ErrServerClosed) {
			s.config.Logger.Error("the listener for operators ended", "error", err)
		}
	})
}

// opsHandler serves operators: metrics for Prometheus, whether the process
// lives, whether it is ready for calls, and what only this machine may see.
func (s *Server) opsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.index)
	mux.Handle("GET /metrics", s.telemetry.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "alive\n") // a reader that went away is no matter
	})
	mux.HandleFunc("GET /readyz", s.readyz)
	s.inside.register(mux)
	return mux
}

// readyz says whether calls may be sent here and, to who is on this machine, why not.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.isReady():
		_, _ = io.WriteString(w, "ready\n")
	case s.ending.Load():
		http.Error(w, "not ready: the server is ending", http.StatusServiceUnavailable)
	default:
		why := unusable
		if trouble := s.trouble.Load(); trouble != nil && s.inside.open && isLoopback(r.Host) {
			why += ": " + *trouble
		}
		http.Error(w, "not ready: "+why, http.StatusServiceUnavailable)
	}
}

// index says what there is.
func (s *Server) index(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintf(w, `amends %s, for operators

/metrics        for Prometheus
/healthz        the process lives
/readyz         it can be sent calls
`, s.config.Version)
	if s.inside.open {
		_, _ = io.WriteString(w, strings.ReplaceAll(insideIndex, "HOST:PORT", s.opsAddr))
	}
}
