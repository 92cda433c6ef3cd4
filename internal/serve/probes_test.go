package serve

import (
	"maps"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestProbesHaveTheirTime: of health checks of which only a part has come some may take
// long. When another comes, the first of them must be done soon, but not at once: many
// clients may come at the same moment.
func TestProbesHaveTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		began := time.Now()
		ended := map[string]time.Duration{}
		p := probes{most: 2}
		add := func(name string) (done func()) {
			return p.add(time.AfterFunc(callTime, func() {
				mu.Lock()
				defer mu.Unlock()
				ended[name] = time.Since(began)
			}))
		}
		add("first")
		add("second")
		time.Sleep(100 * time.Millisecond)
		whole := add("third") // the first has 150 ms from now on
		time.Sleep(300 * time.Millisecond)
		add("fourth") // the second has had its time
		whole()
		add("fifth") // there is room for it
		time.Sleep(2 * callTime)
		want := map[string]time.Duration{
			"first": leastProbe, "second": 400 * time.Millisecond,
			"fourth": 400*time.Millisecond + callTime, "fifth": 400*time.Millisecond + callTime,
		}
		mu.Lock()
		defer mu.Unlock()
		if !maps.Equal(ended, want) {
			t.Errorf("they ended after %v, want %v", ended, want)
		}
		if n := p.list.Len(); n != 2 {
			t.Errorf("%d are left, want the two that nobody was done with", n)
		}
	})
}
