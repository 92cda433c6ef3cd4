package watch

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// How a watch ends, but for errors of the store.
var (
	// ErrResync: events between the token and now are no longer kept, or the
	// store is another one.
	ErrResync = errors.New("events are missing; the cases must be read anew")
	// ErrSlow: the watcher took its events more slowly than they came.
	ErrSlow = errors.New("the watcher fell behind")
)

// Stream is where events are read.
type Stream interface {
	Ends(ctx context.Context) (epoch string, marks []ledger.Mark, err error)
	After(ctx context.Context, from []ledger.Mark, most int) (ledger.News, error)
	Check(ctx context.Context, epoch string, from []ledger.Mark) (whole bool, err error)
}

// Config is what a Hub works with.
type Config struct {
	Stream Stream
	// Buckets is the number of buckets of the ledger.
	Buckets int
	// Cases gives the cases of events as they stand; nil for one that is gone.
	Cases func(context.Context, []ledger.Event) ([]*recovery.Case, error)
	// Show makes of these what callers see; nil stays nil.
	Show func(context.Context, []ledger.Event, []*recovery.Case) ([]*recoveryv1.Case, error)
	// Hash makes keyed hashes of 22 characters.
	Hash func(domain, value string) string
	// Silence is how long a watch says nothing at most; 0: 10 seconds.
	Silence time.Duration
	// Buffer is how many events may wait for one watcher, 2 or more; 0: 4096.
	Buffer int
	// Watching is told when a watcher comes (1) and goes (-1).
	Watching func(int)
	// Dropped is told when one is ended because it is slow.
	Dropped func()
	// Logger takes what happens to the reader.
	Logger *slog.Logger
}

const (
	// pollEvery is how often the streams are read while somebody watches.
	pollEvery = 150 * time.Millisecond
	// restTime comes after a reading that left something unread.
	restTime = 5 * time.Millisecond
	// checkEvery is how soon a store that lost events is found out although no
	// new ones come.
	checkEvery = 5 * time.Second
	// awayTime is how long a watcher that reads for itself waits when it finds
	// nothing, because what it lacks cannot be read just now.
	awayTime = 500 * time.Millisecond
	// mostCatchUps is how many watchers read for themselves at once.
	mostCatchUps = 4

	defaultSilence = 10 * time.Second
	defaultBuffer  = 4096
)

// Hub reads events for all watchers of a process. Make it with [New].
type Hub struct {
	config Config
	sealer
	catchUps   chan struct{}
	checkEvery time.Duration

	mu  sync.Mutex
	run *run // nil while nobody watches
	end sync.WaitGroup
}

// run is the reading from the first watcher to the last.
type run struct {
	hub      *Hub
	epoch    string
	cancel   context.CancelFunc
	marks    []ledger.Mark // how far all watchers were given; guarded by Hub.mu
	watchers map[*Watcher]struct{}
	pace     pace // of loop alone, as is what follows
	failing  bool // the last reading failed
}

// New makes a hub. It reads nothing until somebody watches.
func New(c Config) *Hub {
	if c.Silence == 0 {
		c.Silence = defaultSilence
	}
	if c.Buffer == 0 {
		c.Buffer = defaultBuffer
	}
	return &Hub{config: c, sealer: newSealer(c.Hash), catchUps: make(chan struct{}, mostCatchUps), checkEvery: checkEvery}
}

// Close ends the reading. The watchers must have gone.
func (h *Hub) Close() {
	h.mu.Lock()
	if h.run != nil {
		h.run.cancel()
	}
	h.mu.Unlock()
	h.end.Wait()
}

// Open reads a token; the empty one is now. It gives ErrToken for what can be no
// token. One of another tenant, or of a store with another secret, is a place
// where no watch can begin.
func (h *Hub) Open(tenant, token string) (Place, error) {
	return h.open(tenant, token, h.config.Buckets)
}

// Watch begins at a place. The watcher gets the events of the place's tenant
// that are wanted, and must be closed. ErrResync: what came after the place is
// not known. Other errors are those of the store; a store that can be read
// in part is good enough: the events of the rest come when it is back.
func (h *Hub) Watch(ctx context.Context, at Place, want func(*ledger.Event) bool) (*Watcher, error) {
	if at.unknown {
		return nil, ErrResync
	}
	w := &Watcher{
		hub: h, tenant: at.tenant, want: want, epoch: at.epoch, marks: slices.Clone(at.marks),
		wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	if err := w.begin(ctx); err != nil {
		return nil, resync(err)
	}
	h.config.Watching(1)
	return w, nil
}

func resync(err error) error {
	if errors.Is(err, ledger.ErrGap) {
		return ErrResync
	}
	return err
}

// join lets a watcher follow the common reading from now on, unless it has
// still to catch up with that.
func (h *Hub) join(w *Watcher) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.run != nil && h.run.epoch != w.epoch {
		h.run.stop(ErrResync) // the store has changed under those who watch
	}
	if h.run == nil {
		h.begin(w)
		return true
	}
	for i, m := range h.run.marks {
		if !m.Covers(w.marks[i]) {
			return false
		}
	}
	h.run.watchers[w] = struct{}{}
	return true
}

// standing is how far the common reading has come, if there is one.
func (h *Hub) standing() (epoch string, marks []ledger.Mark) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.run == nil {
		return "", nil
	}
	return h.run.epoch, h.run.marks
}

// begin starts the reading where the first watcher stands.
func (h *Hub) begin(w *Watcher) {
	ctx, cancel := context.WithCancel(context.Background())
	r := &run{hub: h, epoch: w.epoch, cancel: cancel, marks: slices.Clone(w.marks), watchers: map[*Watcher]struct{}{w: {}}}
	h.run = r
	h.end.Go(func() { r.loop(ctx) })
}

// leave is how a watcher goes; the last one ends the reading.
func (h *Hub) leave(w *Watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.run; r != nil {
		delete(r.watchers, w)
		if len(r.watchers) == 0 {
			r.stop(nil)
		}
	}
}

// stop ends the reading and all who watch, with the lock held.
func (r *run) stop(reason error) {
	r.cancel()
	for w := range r.watchers {
		w.end(reason)
	}
	r.watchers = nil
	if r.hub.run == r {
		r.hub.run = nil
	}
}
