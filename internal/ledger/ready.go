package ledger

import (
	"context"
	"sync"
	"time"
)

// trouble remembers when the store last refused what it must not refuse.
type trouble struct {
	mu  sync.Mutex
	at  time.Time
	err error
}

// Ready checks the store.
func (l *Ledger) Ready(ctx context.Context) error {
	return l.client.Ping(ctx).Err()
}

// failed is failed with a note for Ready.
func (l *Ledger) failed(err error, unknown bool) error {
	return failed(err, unknown)
}
