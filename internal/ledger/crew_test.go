package ledger

import (
	"sync"
	"testing"
	"testing/synctest"
)

// Who is idle is taken before anybody new, too many do not stay, and none stays
// when the crew is sent away: the bubble would not end.
func TestCrew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrew()
		for _, tc := range []struct{ hands, beside, after int32 }{{10, 0, 10}, {10, 0, 10}, {4, 6, 10}, {2 * mostIdle, 0, mostIdle}} {
			var all sync.WaitGroup
			all.Add(int(tc.hands))
			begin := make(chan struct{})
			for range tc.hands {
				c.do(func() { defer all.Done(); <-begin })
			}
			synctest.Wait()
			if n := c.idle.Load(); n != tc.beside {
				t.Errorf("%d hands: %d are idle beside them", tc.hands, n)
			}
			close(begin)
			all.Wait()
			synctest.Wait()
			if n := c.idle.Load(); n != tc.after {
				t.Errorf("%d hands: %d stay", tc.hands, n)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}
