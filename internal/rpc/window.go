package rpc

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
	"google.golang.org/protobuf/proto"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// How much of bulk loads is held in memory: from when an item is read until its
// answer has been taken. An item counts with its own size and with what an answer
// and everything around it takes.
const (
	WindowBytes    = 2 << 20  // of one stream
	AllWindowBytes = 64 << 20 // of all streams together
	failureBytes   = 6 << 10
	leastBytes     = 1 << 10
)

func weigh(i *recoveryv1.IngestRequest) int64 {
	weight := int64(leastBytes)
	if i.HasFailure() {
		weight = failureBytes
	}
	return min(WindowBytes, weight+int64(proto.Size(i)))
}

// window is what one stream has read ahead.
type window struct {
	own *semaphore.Weighted
	all *semaphore.Weighted // of all streams

	mu     sync.Mutex
	common int64 // what it has taken of all
	closed bool
}

// held is the part of a window that one item has.
type held struct{ own, common int64 }

func newWindow(all *semaphore.Weighted) *window {
	return &window{own: semaphore.NewWeighted(WindowBytes), all: all}
}

// hold waits until there is room for something of that weight. Where the others
// leave none, a stream is read on when all that it sent before is answered: so
// streams whose answers nobody takes slow the others down and stop none.
func (w *window) hold(ctx context.Context, weight int64) (held, error) {
	if err := w.own.Acquire(ctx, weight); err != nil {
		return held{}, context.Cause(ctx)
	}
	if w.take(weight) {
		return held{own: weight, common: weight}, nil
	}
	if err := w.own.Acquire(ctx, WindowBytes-weight); err != nil {
		return held{}, context.Cause(ctx)
	}
	return held{own: WindowBytes}, nil
}

// release gives back what an item held.
func (w *window) release(h held) {
	w.give(h.common)
	w.own.Release(h.own)
}

// take takes a part of what all streams have, if there is as much.
func (w *window) take(weight int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return true
	}
	if !w.all.TryAcquire(weight) {
		return false
	}
	w.common += weight
	return true
}

// give gives such a part back, unless close has.
func (w *window) give(weight int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.all.Release(weight)
		w.common -= weight
	}
}

// close gives everything back.
func (w *window) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.all.Release(w.common)
}
