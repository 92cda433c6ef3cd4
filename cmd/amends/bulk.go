package main

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// item is one record of a file on its way through the service.
type item struct {
	record
	message  proto.Message // what the record says; nil if it could not be read
	answer   proto.Message // what the service said; nil if it failed
	replayed bool
}

// errNotSent marks items that were not tried any more.
var errNotSent = errors.New("not sent")

// unit is what is sent in one piece: one item, or a batch.
type unit struct {
	items []*item
	done  chan struct{}
}

// giveUp leaves the unit unsent.
func (u *unit) giveUp() {
	for _, it := range u.items {
		it.err = errNotSent
	}
	close(u.done)
}

// bulk sends the records of a file with several calls at once and hands them back in the order of the file.
type bulk struct {
	lanes  int // calls at once
	batch  int // items of one call
	ahead  int // how many units may be read before the first is answered; 0: some for each lane
	decode func(*item)
	// lane keeps together what must be sent in the order of the file: equal numbers never overtake each other.
	lane func(*item) uint32
	send func(context.Context, []*item)
	// carry deals with the units of a lane, instead of send.
	carry func(context.Context, <-chan *unit)
	emit  func(*item) error

	unavailable atomic.Int64 // calls in a row that found no service
	stopped     atomic.Bool
}

// run sends every record. After patience for a service that is not there has run out, or when ctx ends, the rest is handed back as
// errNotSent. It fails only if emit does.
func (b *bulk) run(ctx context.Context, source iter.Seq[record]) error {
	ctx, cancel := context.WithCancel(ctx)
	order := make(chan *unit, max(4*b.lanes, b.ahead))
	if b.carry == nil {
		b.carry = b.work
	}
	lanes := make([]chan *unit, b.lanes)
	var working sync.WaitGroup
	for i := range lanes {
		lanes[i] = make(chan *unit, 4)
		working.Go(func() { b.carry(ctx, lanes[i]) })
	}
	working.Go(func() {
		b.read(source, lanes, order)
		close(order)
		for _, lane := range lanes {
			close(lane)
		}
	})
	var failed error
	for u := range order {
		<-u.done
		for _, it := range u.items {
			if failed == nil {
				failed = b.emit(it)
			}
		}
		if failed != nil {
			b.stopped.Store(true)
			cancel()
		}
	}
	cancel()
	working.Wait()
	return failed
}

// read turns records into units and hands each to its lane, and to order so that the answers keep theirs.
func (b *bulk) read(source iter.Seq[record], lanes []chan *unit, order chan<- *unit) {
	waiting := &unit{done: make(chan struct{})}
	flush := func() {
		if len(waiting.items) > 0 {
			order <- waiting
			lanes[b.lane(waiting.items[0])%uint32(len(lanes))] <- waiting
			waiting = &unit{done: make(chan struct{})}
		}
	}
	for r := range source {
		it := &item{record: r}
		if it.err == nil {
			b.decode(it)
		}
		if it.err != nil {
			flush()
			faulty := &unit{items: []*item{it}, done: make(chan struct{})}
			close(faulty.done)
			order <- faulty
			continue
		}
		if waiting.items = append(waiting.items, it); len(waiting.items) == b.batch {
			flush()
		}
	}
	flush()
}

// patience is how many calls in a row may find no service before the rest of the file is given up, for each call at once.
const patience = 3

func (b *bulk) work(ctx context.Context, lane <-chan *unit) {
	for u := range lane {
		if ctx.Err() != nil || b.stopped.Load() {
			u.giveUp()
		} else {
			b.send(ctx, u.items)
			b.watch(u.items)
			close(u.done)
		}
	}
}

// watch counts the calls in a row that found no service.
func (b *bulk) watch(items []*item) {
	for _, it := range items {
		if status.Code(it.err) != codes.Unavailable {
			b.unavailable.Store(0)
			return
		}
	}
	if b.unavailable.Add(1) >= int64(patience*b.lanes) {
		b.stopped.Store(true)
	}
}
