package client

import "sync"

// budget bounds how much is repeated of a service that refuses more than it
// takes: repetitions would be what it has too much of. It counts as gRPC does
// for its own repetitions: a failure takes a token, a success gives back a
// fraction of one, and while no more than half are left nothing is repeated.
type budget struct {
	Most  float64 `json:"maxTokens"`
	Ratio float64 `json:"tokenRatio"`

	mu    sync.Mutex
	spent float64
}

// fail takes a token, and reports whether the call may be repeated.
func (b *budget) fail() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spent = min(b.spent+1, b.Most)
	return b.spent < b.Most/2
}

// succeed gives back what a success is worth.
func (b *budget) succeed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spent = max(b.spent-b.Ratio, 0)
}
