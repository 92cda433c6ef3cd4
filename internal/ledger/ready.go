package ledger

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed acl.lua
var aclSource string

// How far the clock of this machine may be from that of Redis.
const (
	skewWarn   = time.Second
	skewRefuse = 5 * time.Second
)

// troubleTime is how long a store that refused what it must not refuse counts
// as not ready; for want of a permission, only until it is given.
const troubleTime = time.Minute

// trouble remembers when the store last did so.
type trouble struct {
	mu  sync.Mutex
	at  time.Time
	err error
}

// Ready reports whether the store can be trusted with the ledger: every server
// new enough, none that evicts, permissions complete, the same secret and
// number of buckets as at the ledger's birth, clocks that agree. What is wrong
// is told all at once, for operators: each line says which command or setting
// changes it. Open calls it; a server calls it every 30 seconds.
func (l *Ledger) Ready(ctx context.Context) error {
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := l.hear(ctx); err != nil {
		if classify(Cause(err)) == classBroken {
			return l.store.refused(Cause(err))
		}
		return &noAnswer{l.store.where(), err}
	}
	began := time.Now()
	faults := []error{l.time.trouble()}
	if l.store.mode != embedded {
		faults = append(faults, l.checkNodes(ctx)...)
	}
	if errors.Join(faults...) == nil {
		l.trouble.allowed(began)
	}
	faults = append(faults, l.trouble.recent())
	sound := errors.Join(faults...) == nil // a store that is refused is not made a ledger of, either
	return errors.Join(append(faults, l.checkMeta(ctx, sound))...)
}

// refused says what to look at when the store, or every sentinel before it, answers nothing but no.
func (t target) refused(err error) error {
	logins := ""
	if t.mode == sentinel {
		if errors.Is(err, redis.Nil) {
			return fmt.Errorf("the sentinels at %s know no master of that name; write the name that `SENTINEL MASTERS` gives as /MASTER at the end of the address",
				strings.Join(t.addrs, ","))
		}
		logins = " Sentinels with a login of their own get it from ?sentinel_user= and ?sentinel_password= at the end of the address."
	}
	return fmt.Errorf("the Redis at %s refuses: %w; is it of the kind that the address says, and are user and password right?%s", t.where(), err, logins)
}

// noAnswer is a store that is not there, for operators: what callers may conclude is no news to them.
type noAnswer struct {
	at  string
	err error
}

func (e *noAnswer) Error() string {
	return fmt.Sprintf("the Redis at %s does not answer: %v; is it running, and is the address right?", e.at, Cause(e.err))
}

func (e *noAnswer) Unwrap() error { return e.err }

// cannotCheck is what the log is told of a server that does not answer.
const cannotCheck = "a Redis server cannot be checked"

// checkNodes looks at every server, replicas too: any of them may be master
// next. One that is down concerns its customers alone, so it is only logged.
func (l *Ledger) checkNodes(ctx context.Context) []error {
	var faults []error
	nodes, err := l.nodes(ctx)
	if err != nil {
		return []error{err}
	}
	durable, fullest := true, 0.
	defer func() {
		l.durable.Store(durable)
		l.fullest.Store(math.Float64bits(fullest))
	}()
	for _, n := range nodes {
		seen, err := l.checkNode(ctx, n)
		durable, fullest = durable && (seen.keeps || err != nil), max(fullest, seen.full)
		if err != nil {
			l.tell(n, cannotCheck, err.Error())
		} else {
			l.tell(n, cannotCheck)
		}
		faults = append(faults, seen.faults...)
		if n.close {
			_ = n.client.Close() // opened for this check alone
		}
	}
	return faults
}

// finding is what a look at one server finds.
type finding struct {
	faults []error
	keeps  bool    // it writes down what it is told
	full   float64 // the share of its memory that is taken
}

// checkNode looks at one server; err when it does not answer.
func (l *Ledger) checkNode(ctx context.Context, n node) (f finding, err error) {
	before := l.clock()
	text, err := n.client.Info(ctx).Result()
	if err != nil {
		f.faults, err = refusal(n, err)
		return f, err
	}
	facts := parseInfo(text)
	remote, err := n.client.Time(ctx).Result()
	if err != nil {
		f.faults, err = refusal(n, err)
		return f, err
	}
	facts[fsync] = configured(ctx, n, fsync)
	f.faults = facts.check(n, l.opts.Production)
	f.full = facts.full()
	why := facts.loses()
	if replicas := facts.replicas(); !n.replica && replicas < l.opts.Wait {
		why = append(why, fmt.Sprintf("too few replicas: %d of the %d for which changes wait, which are answered as unknown", replicas, l.opts.Wait))
	}
	l.tell(n, "this Redis may lose what it is told", why...)
	if facts.major() >= 7 && !n.replica { // older ones cannot tell
		f.faults = append(f.faults, l.checkACL(ctx, n))
	}
	if l.store.mode == cluster {
		f.faults = append(f.faults, checkCoverage(ctx, n))
	}
	f.faults = append(f.faults, l.checkClock(n, before, remote))
	f.keeps = len(why) == 0
	return f, nil
}

// tell tells the log what is wrong with a server, and when nothing is any more.
func (l *Ledger) tell(n node, what string, why ...string) {
	trouble := what + " " + n.addr
	switch {
	case len(why) > 0 && l.reported.News(time.Now(), trouble, strings.Join(why, "; ")):
		l.opts.Logger.Warn(what, "server", n.addr, "why", strings.Join(why, "; "))
	case len(why) == 0 && l.reported.Over(trouble):
		l.opts.Logger.Info("no longer: "+what, "server", n.addr)
	}
}

// Durable reports whether every server that answered when [Ledger.Ready] last
// looked writes down what it is told, evicts nothing and, if it is a master, has
// the replicas that a change must reach. The embedded store never does.
func (l *Ledger) Durable() bool { return l.durable.Load() }

// Fullest is how much of its memory (maxmemory) the fullest of those servers has
// taken, 0 to 1; one without a limit counts as empty.
func (l *Ledger) Fullest() float64 { return math.Float64frombits(l.fullest.Load()) }

// configured gives a setting of a server. It is empty where CONFIG is forbidden,
// as hosted servers do; whoever runs those answers for it.
func configured(ctx context.Context, n node, setting string) string {
	values, err := n.client.ConfigGet(ctx, setting).Result()
	if err != nil {
		return ""
	}
	return values[setting]
}

// checkCoverage demands that a cluster that lost one shard serves the others.
func checkCoverage(ctx context.Context, n node) error {
	const setting = "cluster-require-full-coverage"
	if configured(ctx, n, setting) != "yes" {
		return nil
	}
	return fmt.Errorf("the Redis at %s stops serving all customers when any shard is lost (%s yes); "+
		"run there: redis-cli CONFIG SET %s no, and set it in redis.conf", n.addr, setting, setting)
}

// refusal tells a server that says no from one that says nothing.
func refusal(n node, err error) ([]error, error) {
	if classify(err) != classBroken {
		return nil, err
	}
	return []error{fmt.Errorf("the Redis at %s refuses to be asked: %w; give its user the permission with ACL SETUSER, "+
		"or correct user and password", n.addr, err)}, nil
}

// checkClock compares the clocks; the true moment of the remote reading lies
// between our two.
func (l *Ledger) checkClock(n node, before, remote time.Time) error {
	const differ = "the clocks of this machine and of Redis differ"
	after := l.clock()
	skew, side := remote.Sub(after), "ahead"
	if remote.Before(before) {
		skew, side = before.Sub(remote), "behind"
	}
	apart := skew.Round(100 * time.Millisecond) // so that it is told once
	switch {
	case skew > skewRefuse:
		return &ClockError{fmt.Sprintf("the clock of this machine and that of Redis at %s are %s apart; "+
			"deadlines cannot be trusted: let both follow one time source (chronyd, systemd-timesyncd)", n.addr, apart)}
	case skew > skewWarn:
		l.tell(n, differ, fmt.Sprintf("that of Redis is %s %s", apart, side))
	default:
		l.tell(n, differ)
	}
	return nil
}

// itsKeys are the keys of the ledger, as ACL SETUSER takes them.
const itsKeys = "'~{b[0-9][0-9][0-9]}:*' '~{budget}:*' '~amends:meta' '~amends:policies' '~amends:words'"

// checkACL asks whether the user may run all that the scripts run.
func (l *Ledger) checkACL(ctx context.Context, n node) error {
	refused, err := redis.NewScript(aclSource).Eval(ctx, n.client, nil, l.buckets[0].due, budgetNames.customer, metaKey, policiesKey, wordsKey).StringSlice()
	if redis.HasErrorPrefix(err, "NOPERM") {
		refused, err = []string{"eval " + metaKey}, nil
	}
	if err != nil || len(refused) == 0 {
		return err
	}
	commands := make([]string, 0, len(refused))
	for _, r := range refused {
		name, _, _ := strings.Cut(r, " ")
		commands = append(commands, "+"+name)
	}
	slices.Sort(commands)
	user := l.store.user
	if user == "" {
		user = "default"
	}
	return fmt.Errorf("the Redis at %s does not let the user %q do what the ledger does; run: redis-cli ACL SETUSER %s %s %s, "+
		"and keep it: redis-cli ACL SAVE, or in users.acl", n.addr, user, user, itsKeys, strings.Join(slices.Compact(commands), " "))
}

// failed is what a caller learns of an error. A refusal of the store is noted
// for Ready. What it holds that cannot be read is not: that is the trouble of one
// customer or one entry, and no reason to stop serving all others.
func (l *Ledger) failed(err error, unknown bool) error {
	told := failed(err, unknown)
	if errors.Is(told, ErrBroken) && !errors.Is(err, ErrBroken) {
		l.trouble.note(told)
	}
	return told
}

func (t *trouble) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at, t.err = time.Now(), err
}

func (t *trouble) recent() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil || time.Since(t.at) > troubleTime {
		return nil
	}
	if forbidden(t.err) {
		return fmt.Errorf("the store forbids what the ledger does: %w", Cause(t.err))
	}
	return fmt.Errorf("the store refused what it must not refuse: %w; repair the key that is named, "+
		"and it is used again after %s without another refusal", Cause(t.err), troubleTime)
}

// allowed forgets what was forbidden before a moment from which on all permissions
// were found to be there.
func (t *trouble) allowed(from time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if forbidden(t.err) && t.at.Before(from) {
		t.err = nil
	}
}

// forbidden reports whether a user may not do what was asked for, as [Ledger.Ready]
// finds by itself; Redis 7.0 says so of a script in words of its own.
func forbidden(err error) bool {
	return slices.ContainsFunc([]string{"NOPERM", "NOAUTH", "WRONGPASS", "The user executing the script can't"},
		func(prefix string) bool { return redis.HasErrorPrefix(err, prefix) })
}

// Refused reports whether the store has lately refused what it must not refuse.
// [Ledger.Ready] tells what it was, and what is to be done.
func (l *Ledger) Refused() bool { return l.trouble.recent() != nil }
