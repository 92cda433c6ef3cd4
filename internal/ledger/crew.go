package ledger

import "sync/atomic"

// crew are goroutines that stay when their work is done, since one that is new has
// to double its stack again and again before a change has room on it.
type crew struct {
	work chan func()
	idle atomic.Int32
	over chan struct{}
}

// mostIdle bounds how many stay: as many as some bulk loads keep busy at a time.
const mostIdle = 256

func newCrew() *crew { return &crew{work: make(chan func()), over: make(chan struct{})} }

// do has one of the crew do something, at once.
func (c *crew) do(what func()) {
	select {
	case c.work <- what:
	default:
		go c.stay(what)
	}
}

// stay does this, and then whatever else there is to do.
func (c *crew) stay(what func()) {
	for {
		what()
		if c.idle.Add(1) > mostIdle {
			c.idle.Add(-1)
			return
		}
		select {
		case what = <-c.work:
			c.idle.Add(-1)
		case <-c.over:
			return
		}
	}
}

// Close sends the idle ones away.
func (c *crew) Close() error {
	close(c.over)
	return nil
}
