package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

const metaKey = "amends:meta"

// Layouts of what is described at the package. A store has the one that it was born
// with; a program that lays keys or fields out otherwise counts it up.
const (
	layoutPlain = "1" // no record is in the brief form
	layoutBrief = "2"
)

// checkMeta compares what all processes of a ledger must agree on with what the
// first one wrote down. With another secret or another number of buckets every
// customer would silently be a stranger. Only a sound store is written to.
func (l *Ledger) checkMeta(ctx context.Context, sound bool) error {
	sum := l.keys.sum("", "fingerprint")
	want := map[string]string{
		epochField: newEpoch(), // unless there is one
		"buckets":  strconv.Itoa(l.opts.Buckets),
		"layout":   layoutBrief,
		"secret":   printable.EncodeToString(sum[:8]),
	}
	have, err := l.meta(ctx, want, sound)
	if err != nil && l.store.mode == cluster && l.agreed.Load() {
		// The shard that holds the record is lost: no reason to stop serving the others.
		if l.reported.News(time.Now(), metaKey, Cause(err).Error()) {
			l.opts.Logger.Warn("the record of the ledger cannot be read", "key", metaKey, "error", Cause(err))
		}
		return nil
	}
	if err != nil {
		hint := ""
		if redis.HasErrorPrefix(Cause(err), "READONLY") {
			hint = "; name the master in the address, or the sentinels that know it"
		}
		return fmt.Errorf("read %s: %w (%w)%s", metaKey, err, Cause(err), hint)
	}
	l.reported.Over(metaKey)
	var faults []error
	if have["buckets"] != want["buckets"] {
		faults = append(faults, fmt.Errorf("this ledger was born with %s buckets, not %s; set the number of buckets to %s",
			have["buckets"], want["buckets"], have["buckets"]))
	}
	if have["layout"] != layoutPlain && have["layout"] != layoutBrief {
		faults = append(faults, fmt.Errorf("this ledger has layout %s, and this program knows layouts %s and %s; run the version of the program that wrote it",
			have["layout"], layoutPlain, layoutBrief))
	}
	if have["secret"] != want["secret"] {
		faults = append(faults, fmt.Errorf("this ledger was born with another secret (fingerprint %s, not %s); "+
			"give the key file that it was born with, or an empty Redis", have["secret"], want["secret"]))
	}
	l.agreed.Store(len(faults) == 0)
	if len(faults) > 0 {
		fault := errors.Join(faults...)
		l.foreign.Store(&Unavailable{RetryAfter: retryAfter, cause: fault})
		return fault
	}
	l.foreign.Store(nil)
	if sound {
		l.brief.Store(have["layout"] == layoutBrief)
		l.recognise(have[epochField])
	}
	return nil
}

// familiar is an error while the store is known to be that of another ledger, in
// which every customer would be a stranger, or unreadable: nothing is read or
// changed there.
func (l *Ledger) familiar() error {
	if foreign := l.foreign.Load(); foreign != nil {
		return foreign
	}
	return nil
}

// recognise tells, once, when the store came back as another one.
func (l *Ledger) recognise(epoch string) {
	if was := l.epoch.Swap(&epoch); was != nil && *was != epoch {
		l.opts.Logger.Warn("this store is empty or another one than before: what was kept there is gone", "server", l.store.where())
	}
}

// meta reads the record; what is missing in it is written, once for all, or
// with sound unset only taken for agreed.
func (l *Ledger) meta(ctx context.Context, want map[string]string, sound bool) (have map[string]string, err error) {
	err = l.insist(ctx, func(ctx context.Context) (err error) {
		if have, err = l.client.HGetAll(ctx, metaKey).Result(); err != nil {
			return err
		}
		missing := false
		for field, value := range want {
			if _, ok := have[field]; ok {
				continue
			}
			if !sound {
				have[field] = value
				continue
			}
			missing = true
			if err := l.client.HSetNX(ctx, metaKey, field, value).Err(); err != nil {
				return err
			}
		}
		if missing { // another process may have been first
			have, err = l.client.HGetAll(ctx, metaKey).Result()
		}
		return err
	})
	return have, err
}
