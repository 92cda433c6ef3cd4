package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// ErrGap says that events between a mark and now are no longer there, or that
// the store is not the one in which the mark was made.
var ErrGap = errors.New("events are missing")

const (
	// tailConnections is how many reads of streams go on at once at one server.
	// They have connections of their own, so that they never take one from a call.
	tailConnections = 6
	// tailTime is how long one server may take for one look at all its buckets.
	tailTime = time.Second
	// tailChunk is how many cases are asked for in one pipeline.
	tailChunk = 256
	// mostTold bounds of how many entries the log is told that nobody can read.
	mostTold = 1000
)

// Tail reads the streams of events. It may be used by many goroutines; close it
// before the ledger.
//
// Every server is asked on its own, all at the same time, for tailTime at most,
// and one that has not answered is left alone until it answers again: the events
// of the others come meanwhile as they always do.
type Tail struct {
	ledger  *Ledger
	client  redis.UniversalClient
	buckets buckets
	streams map[string]int // bucket by the name of its stream
	away    *away

	mu   sync.Mutex
	told map[string]bool // entries that were passed over
}

// Tail connects for reading events; nothing is dialled yet.
func (l *Ledger) Tail() *Tail {
	t := &Tail{ledger: l, buckets: l.buckets, streams: make(map[string]int, len(l.buckets)), told: map[string]bool{}}
	for i, n := range t.buckets {
		t.streams[n.events] = i
	}
	switch c := l.client.(type) {
	case *redis.ClusterClient:
		o := l.clusterOptions()
		o.PoolSize, o.ReadTimeout, o.WriteTimeout = tailConnections, tailTime, tailTime
		t.client = redis.NewClusterClient(o)
	case *redis.Client:
		if l.store.mode == sentinel {
			o := l.failoverOptions()
			o.PoolSize, o.ReadTimeout, o.WriteTimeout = tailConnections, tailTime, tailTime
			t.client = l.metered(redis.NewFailoverClient(o))
			break
		}
		o := l.serverOptions(c.Options().Addr)
		o.PoolSize, o.ReadTimeout, o.WriteTimeout = tailConnections, tailTime, tailTime
		t.client = l.newMetered(o)
	}
	t.away = newAway(t.reload)
	return t
}

// Buckets is how many streams there are.
func (t *Tail) Buckets() int { return len(t.buckets) }

// Close ends the connections.
func (t *Tail) Close() error {
	t.away.stop()
	err := t.client.Close()
	t.away.probes.Wait()
	return err
}

// reload has the client look at who owns what.
func (t *Tail) reload(ctx context.Context) { reload(ctx, t.client) }

// event reads an entry of a bucket's stream. One that nobody can read is logged
// once. It is an event of nobody if its number is one that the ledger gives:
// then those who read go past it, and else (false) it is left out.
func (t *Tail) event(bucket int, entry redis.XMessage) (e Event, ours bool) {
	e, err := decodeEvent(bucket, entry)
	if err == nil {
		return e, true
	}
	t.tell(err)
	number, numbered := eventNumber(entry.ID)
	if !numbered {
		return Event{}, false
	}
	body, _ := entry.Values["e"].(string)
	return Event{Bucket: bucket, Number: number, sum: eventSum(body)}, true
}

func (t *Tail) tell(err error) {
	what := fmt.Sprint(errors.Unwrap(err)) // names bucket and entry
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.told[what] || len(t.told) == mostTold {
		return
	}
	t.told[what] = true
	t.ledger.opts.Logger.Error("an event cannot be read; whoever watches goes past it", "error", what)
}
