package serve

import (
	"github.com/makeamends/amends/internal/rpc"
	"github.com/makeamends/amends/internal/watch"
)

// openHub prepares for those who watch; nothing is read before they come.
func (s *Server) openHub() {
	s.tail = s.ledger.Tail()
	s.hub = watch.New(watch.Config{
		Stream:   s.tail,
		Buckets:  s.tail.Buckets(),
		Cases:    s.tail.Cases,
		Show:     rpc.ShowCases(s.rules),
		Hash:     s.ledger.Hash,
		Silence:  s.config.Heartbeat,
		Watching: s.telemetry.Metrics.Watching,
		Dropped:  s.telemetry.Metrics.WatcherDropped,
		Logger:   s.config.Logger,
	})
}

// closeHub ends the reading of events; the streams of those who watch have ended.
func (s *Server) closeHub() error {
	if s.hub == nil {
		return nil
	}
	s.hub.Close()
	return s.tail.Close()
}
