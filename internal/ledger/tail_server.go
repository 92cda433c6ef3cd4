package ledger

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// probeEvery is how often a server that has not answered is asked whether it is
// there again.
const probeEvery = 250 * time.Millisecond

// reading is one look at some buckets of one server. What it finds goes where it
// belongs, bucket by bucket, so that no two readings touch the same place.
type reading struct {
	ctx      context.Context
	on       redis.Cmdable
	buckets  []int
	answered bool  // something was
	moved    []int // buckets that are elsewhere
	err      error // of the first of the other buckets that could not be read
}

// fault notes that a bucket cannot be read.
func (r *reading) fault(bucket int, err error) {
	switch {
	case redis.HasErrorPrefix(err, "MOVED"), redis.HasErrorPrefix(err, "ASK"):
		r.answered = true
		r.moved = append(r.moved, bucket)
	case r.err == nil:
		r.err = err
	}
}

// each has a look at every server, all at once. The error is of the servers and
// buckets that could not be read, *Unavailable while others could: reached.
func (t *Tail) each(ctx context.Context, look func(*reading)) (reached bool, err error) {
	groups, err := t.servers(ctx)
	var mu sync.Mutex
	var wait sync.WaitGroup
	for server, list := range groups {
		wait.Go(func() {
			r := t.look(ctx, server, list, look)
			mu.Lock()
			defer mu.Unlock()
			reached = reached || r.answered
			if r.err != nil {
				err = r.err
			}
		})
	}
	wait.Wait()
	if err == nil {
		return reached, nil
	}
	err = t.ledger.failed(err, false) // noted, if somebody must repair something
	if reached && !errors.Is(err, context.Canceled) {
		err = &Unavailable{RetryAfter: retryAfter, cause: err}
	}
	return reached, err
}

// servers tells which server holds which buckets; the error is of those of
// which nobody knows.
func (t *Tail) servers(ctx context.Context) (groups map[*redis.Client][]int, err error) {
	groups = map[*redis.Client][]int{}
	for i := range t.buckets {
		server, unknown := t.owner(ctx, t.buckets[i].events)
		if unknown != nil {
			err = unknown
			continue
		}
		groups[server] = append(groups[server], i)
	}
	return groups, err
}

// owner gives the client of the server that holds a key.
func (t *Tail) owner(ctx context.Context, key string) (*redis.Client, error) {
	return owner(ctx, t.client, key)
}

// look looks at one server, and follows buckets that have moved.
func (t *Tail) look(ctx context.Context, server *redis.Client, list []int, look func(*reading)) *reading {
	if err := t.away.is(server); err != nil {
		return &reading{err: err}
	}
	one, cancel := context.WithTimeout(ctx, tailTime)
	defer cancel()
	r := &reading{ctx: one, on: server, buckets: list}
	look(r)
	if len(r.moved) > 0 {
		t.reload(ctx)
		again := &reading{ctx: one, on: t.client, buckets: r.moved}
		look(again)
		if r.err == nil {
			r.err = again.err
		}
	}
	if !r.answered && ctx.Err() == nil {
		t.away.note(server, r.err)
	}
	return r
}

// away is the servers that have not answered.
type away struct {
	ctx    context.Context
	stop   context.CancelFunc
	reload func(context.Context)
	probes sync.WaitGroup

	mu      sync.Mutex
	servers map[*redis.Client]error
}

func newAway(reload func(context.Context)) *away {
	a := &away{reload: reload, servers: map[*redis.Client]error{}}
	a.ctx, a.stop = context.WithCancel(context.Background())
	return a
}

// is tells why a server is left alone; nil when it is not.
func (a *away) is(server *redis.Client) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.servers[server]
}

// note leaves a server alone that has not answered, until it does.
func (a *away) note(server *redis.Client, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !silent(err) || a.servers[server] != nil || a.ctx.Err() != nil {
		return
	}
	a.servers[server] = err
	a.probes.Go(func() { a.probe(server) })
}

// silent tells the lack of an answer from one that says no.
func silent(err error) bool {
	var dial *net.OpError
	return err != nil && (classify(err) == classUnknown || errors.As(err, &dial))
}

// probe asks until the server answers or is no longer one of the store's.
func (a *away) probe(server *redis.Client) {
	for pause(a.ctx, probeEvery) {
		ctx, cancel := context.WithTimeout(a.ctx, tailTime)
		err := server.Ping(ctx).Err()
		cancel()
		if !silent(err) || errors.Is(err, redis.ErrClosed) {
			break
		}
		a.reload(a.ctx)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.servers, server)
}
