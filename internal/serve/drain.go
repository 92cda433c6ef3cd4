package serve

import (
	"context"
	"errors"
	"net"
	"time"
)

const (
	cancelTime = time.Second     // until a call must have noticed that it is cancelled
	flushTime  = 2 * time.Second // until the last traces must have left
)

// Stop ends the service in order: it says NOT_SERVING, pauses until balancers
// have noticed, ends streams, lets calls under way end within Config.Drain, and
// flushes what it has to tell. It may be called more than once; the context
// cuts all waiting short.
func (s *Server) Stop(ctx context.Context) error {
	s.finish(ctx, nil)
	return s.Wait()
}

func (s *Server) finish(ctx context.Context, reason error) {
	s.stop.Do(func() {
		s.ending.Store(true)
		s.health.Shutdown()
		if reason == nil {
			s.config.Logger.Info("ending: calls under way are finished first")
			pause(ctx, s.config.Pause)
		}
		s.endStreams()
		s.drain(ctx)
		s.err = errors.Join(reason, s.release(ctx))
		close(s.ended)
	})
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// drain lets calls end, cancels those that take too long, and leaves behind those
// that do not end even then.
func (s *Server) drain(ctx context.Context) {
	ended := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(ended)
	}()
	ctx, cancel := context.WithTimeout(ctx, s.config.Drain)
	defer cancel()
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	s.grpc.Stop()
	select {
	case <-ended:
	case <-time.After(cancelTime):
		s.config.Logger.Warn("calls that do not end are left behind")
	}
}

// release gives back everything that start has taken, in reverse. It is also
// how a start that failed half-way is undone.
func (s *Server) release(ctx context.Context) error {
	var err error
	s.endStreams()
	s.endLoops()
	if s.ops != nil {
		err = errors.Join(err, s.ops.Close())
		s.inside.grpc.Stop()
	}
	s.loops.Wait()
	if s.grpc != nil {
		s.grpc.Stop() // has happened unless the start failed
	}
	for _, l := range []net.Listener{s.listener, s.opsListener} {
		if l != nil {
			_ = l.Close() // so has this
		}
	}
	if s.guard != nil {
		s.guard.Close()
	}
	err = errors.Join(err, s.closeHub())
	if s.ledger != nil {
		err = errors.Join(err, s.ledger.Close())
	}
	if s.telemetry != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
		defer cancel()
		// A collector that is gone is no fault of the service.
		if err := s.telemetry.Shutdown(ctx); err != nil {
			s.config.Logger.Warn("the last traces could not be sent", "error", err)
		}
	}
	return err
}
