package ledger

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
)

// Who is idle is taken before anybody new, too many do not stay, and none stays
// behind when the crew is sent away.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew()
		before := runtime.NumGoroutine()
		for range 2 {
			var all sync.WaitGroup
			all.Add(2 * mostIdle)
			begin := make(chan struct{})
			for range 2 * mostIdle {
				c.do(func() { defer all.Done(); <-begin })
			}
			synctest.Wait()
			if n := runtime.NumGoroutine() - before; n != 2*mostIdle {
				t.Errorf("%d are at work", n)
			}
			close(begin)
			all.Wait()
			synctest.Wait()
			if n := runtime.NumGoroutine() - before; n != mostIdle {
				t.Errorf("%d stay", n)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if n := runtime.NumGoroutine() - before; n != 0 {
			t.Errorf("%d stay behind", n)
		}
	})
}
