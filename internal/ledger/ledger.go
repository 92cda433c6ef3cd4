package ledger

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/told"
)

// DefaultBuckets is the number of buckets unless Options says otherwise.
const DefaultBuckets = 256

// Options say where and how to keep the ledger.
type Options struct {
	// URL names the store: "embedded", redis://, rediss://, redis+cluster://,
	// rediss+cluster://, redis+sentinel:// or rediss+sentinel://. See [CheckURL].
	URL string
	// Secret makes the keyed hashes; at least 16 bytes. The ledger is bound to it for life.
	Secret []byte
	// Buckets is the number of hash tags, 1 to 65536, fixed at the ledger's birth; 0: [DefaultBuckets].
	Buckets int
	// Wait is the number of replicas that must hold a change before it counts as made; 0: none.
	Wait int
	// Cache is how many bytes of customers the process remembers; 0: [DefaultCache], less: none.
	Cache int
	// Production refuses a store that keeps nothing.
	Production bool
	// Now is the clock; nil: that of Redis.
	Now func() time.Time
	// Logger takes warnings; nil: none.
	Logger *slog.Logger
	// Observe is called at the start of every "load", "commit" and "erase" of a
	// customer, of every "list" of several, and of every "budget", of nobody, and
	// what it returns at its end; nil: nobody looks. [Meaning] tells what an error
	// means without naming anybody.
	Observe func(ctx context.Context, op string, key Key) (done func(error))
	// Meter counts what is done at Redis; nil: nobody does.
	Meter Meter
}

// Ledger keeps customers. It may be used by many goroutines.
type Ledger struct {
	opts     Options
	client   redis.UniversalClient
	keys     *keyer
	buckets  buckets
	commit   *script
	erase    *script
	budget   *script
	orphan   *script
	store    target
	closers  []io.Closer
	cache    *cache
	guesses  struct{ known, strangers odds } // of customers who are remembered, and of those who are not
	words    wordbook
	crew     *crew
	bulk     *processors // for [Ledger.Together]
	trouble  trouble
	reported told.Log                    // of servers, to the log
	agreed   atomic.Bool                 // the record of the ledger was read and found right
	foreign  atomic.Pointer[Unavailable] // it was read and found to be of another ledger
	epoch    atomic.Pointer[string]      // of the store when it was last found sound
	durable  atomic.Bool                 // as last seen: see Durable
	fullest  atomic.Uint64               // likewise: see Fullest
	brief    atomic.Bool                 // the layout of the store has the brief form
	time     storeClock
	clock    func() time.Time // of this machine, compared with that of Redis
}

// Open connects to the store and checks that it can be trusted with the ledger,
// as [Ledger.Ready] does. The error says what is wrong and what changes it. The
// ledger must be closed.
func Open(ctx context.Context, opts Options) (*Ledger, error) {
	store, err := parseURL(opts.URL)
	if err != nil {
		return nil, err
	}
	if err := opts.check(store); err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	cache, err := newCache(opts.Cache)
	if err != nil {
		return nil, err
	}
	l := &Ledger{
		opts:    opts,
		keys:    newKeyer(opts.Secret),
		buckets: newBuckets(opts.Buckets),
		commit:  newScript(commitSource, store.mode == embedded),
		erase:   newScript(eraseSource, store.mode == embedded),
		budget:  newScript(budgetSource, store.mode == embedded),
		orphan:  newScript(orphanSource, store.mode == embedded),
		store:   store,
		cache:   cache,
		crew:    newCrew(),
		bulk:    newProcessors(),
		clock:   time.Now,
	}
	l.closers = append(l.closers, l.cache, l.crew)
	if l.opts.Now == nil {
		l.opts.Now = l.time.Now
	}
	if err := l.connect(); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	if err := l.Ready(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Close ends all connections, and an embedded store with all it holds.
func (l *Ledger) Close() error {
	var err error
	for i := len(l.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, l.closers[i].Close())
	}
	l.closers = nil
	return err
}

func (o Options) check(store target) error {
	switch {
	case len(o.Secret) < hashSize:
		return errors.New("the secret of the customer keys is shorter than 16 bytes; make one with: head -c 32 /dev/urandom | base64")
	case o.Buckets < 0 || o.Buckets > 1<<16:
		return errors.New("the number of buckets must be 1 to 65536")
	case o.Wait < 0:
		return errors.New("the number of replicas to wait for must not be negative")
	case store.mode == embedded && o.Production:
		return errors.New("the embedded store keeps nothing and is no store for production; name a Redis with redis://HOST:PORT")
	case store.mode == embedded && o.Wait > 0:
		return errors.New("the embedded store has no replicas to wait for")
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.Buckets == 0 {
		o.Buckets = DefaultBuckets
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(context.Context, string, Key) func(error) { return func(error) {} }
	}
	if o.Meter == nil {
		o.Meter = nobody{}
	}
	return o
}
