package ledger

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Together does n things, each of which changes a customer by [Ledger.Update], and
// returns when all are done. What they ask of Redis travels together: a pipeline
// leaves when each of them waits for an answer, has ended, or has fallen behind.
//
// They take turns with the processor, and all who travel in the process leave half of
// the processors to others, while there are any, so that many in bulk do not stand in
// line before other calls. Whoever has to wait for anything but Redis and its turn must
// say so by [FallBehind]: others wait meanwhile.
func (l *Ledger) Together(ctx context.Context, n int, do func(ctx context.Context, i int)) {
	if n == 1 { // like any call that comes alone
		do(ctx, 0)
		return
	}
	FallBehind(ctx) // who travels already would wait for those who need its turn
	c := &convoy{ctx: ctx, ledger: l, processors: l.bulk, members: n, next: newTrip()}
	var all sync.WaitGroup
	all.Add(n)
	for i := range n {
		l.crew.do(func() {
			defer all.Done()
			c.begin()
			m := &member{convoy: c}
			defer m.leave()
			do(context.WithValue(ctx, memberKey{}, m), i)
		})
	}
	all.Wait()
}

// FallBehind says that what is done with this context goes on alone, since it waits
// for something else than Redis, or for longer than the others should. It does
// nothing outside of [Ledger.Together].
func FallBehind(ctx context.Context) {
	if m, ok := ctx.Value(memberKey{}).(*member); ok {
		m.leave()
	}
}

// convoy is who travels together.
type convoy struct {
	ctx        context.Context // of its pipelines
	ledger     *Ledger
	turn       sync.Mutex      // held by the one member that uses the processor
	processors *processors     // of all convoys
	inUse      <-chan struct{} // where its processor is from, see [processors.take]; nil: it has none
	kept       int             // for how many turns in a row
	coming     atomic.Int32    // who wait for the turn

	mu      sync.Mutex
	members int // who have neither ended nor fallen behind
	next    *trip
}

// trip is what members ask of Redis at a time.
type trip struct {
	asked []asked
	back  chan struct{} // closed when all are answered
}

// asked is one command. The error of what comes of it is the command's own.
type asked struct {
	command redis.Cmder
	key     string        // what it writes, where replicas must confirm that; else empty
	wait    *redis.IntCmd // how many of them have
}

func newTrip() *trip { return &trip{back: make(chan struct{})} }

// processors are what the convoys of a process may use of them: half, and all while
// nobody else has changed or read a customer lately. One that is free looks for what
// comes from the network; while none is, that waits for some ten milliseconds, each
// time.
type processors struct {
	half, spare chan struct{} // hold a token for each that is in use
	otherAsked  atomic.Int64  // when somebody else changed or read a customer last, in milliseconds
}

const (
	// quietAfter milliseconds without anybody else, convoys use all processors.
	quietAfter = 100
	// inARow turns are taken in one convoy before its processor goes to another.
	inARow = 32
)

func newProcessors() *processors {
	all := runtime.GOMAXPROCS(0)
	half := max(1, all/2)
	return &processors{half: make(chan struct{}, half), spare: make(chan struct{}, all-half)}
}

// take waits for a processor. It must be given back by receiving from what it gives.
func (p *processors) take() <-chan struct{} {
	spare := p.spare
	if !p.quiet() {
		spare = nil // which nobody gets through
	}
	select {
	case p.half <- struct{}{}:
		return p.half
	case spare <- struct{}{}:
		return p.spare
	}
}

func (p *processors) quiet() bool { return time.Now().UnixMilli()-p.otherAsked.Load() >= quietAfter }

// noteOther takes note of somebody who does not travel.
func (p *processors) noteOther() {
	if now := time.Now().UnixMilli(); p.otherAsked.Load() != now {
		p.otherAsked.Store(now)
	}
}

// begin waits for the turn of a member, and lets everybody go first who is ready.
func (c *convoy) begin() {
	c.coming.Add(1)
	c.turn.Lock()
	c.coming.Add(-1)
	if c.inUse == nil {
		c.inUse, c.kept = c.processors.take(), 0
	}
	c.kept++
	runtime.Gosched()
}

// rest ends the turn. The processor goes with it to some of the next, if there are any
// and nobody else asks for something.
func (c *convoy) rest() {
	if c.coming.Load() == 0 || c.kept == inARow || !c.processors.quiet() {
		<-c.inUse
		c.inUse = nil
	}
	c.turn.Unlock()
}

// member is one of a convoy. It is used by one goroutine.
type member struct {
	convoy *convoy
	left   bool
}

type memberKey struct{}

// leave gives up the place of a member, who need not be waited for any more.
func (m *member) leave() {
	if m.left {
		return
	}
	m.left = true
	c := m.convoy
	c.mu.Lock()
	c.members--
	if t := c.complete(); t != nil {
		go t.travel(c)
	}
	c.mu.Unlock()
	c.rest()
}

// send adds a command to the next trip, and returns when it is answered.
func (m *member) send(a asked) asked {
	c := m.convoy
	c.mu.Lock()
	t := c.next
	place := len(t.asked)
	t.asked = append(t.asked, a)
	last := c.complete() != nil
	c.mu.Unlock()
	c.rest()
	defer c.begin()
	if last {
		t.travel(c)
	} else {
		<-t.back
	}
	return t.asked[place]
}

// complete gives the trip that nobody is missing from, and prepares the next one;
// nil: somebody is.
func (c *convoy) complete() *trip {
	t := c.next
	if len(t.asked) == 0 || len(t.asked) < c.members {
		return nil
	}
	c.next = newTrip()
	return t
}

// travel asks, and closes the trip.
func (t *trip) travel(c *convoy) {
	defer close(t.back)
	c.ledger.carry(c.ctx, t.asked)
}

// carry sends commands in one pipeline or, those whose writes replicas must confirm,
// in one to each server.
func (l *Ledger) carry(ctx context.Context, all []asked) {
	if l.opts.Wait == 0 {
		pipeline(ctx, l.client, all)
		return
	}
	var rest []asked
	groups := map[*redis.Client][]*asked{}
	for i := range all {
		a := &all[i]
		if a.key == "" {
			rest = append(rest, *a)
			continue
		}
		server, err := l.owner(ctx, a.key)
		if err != nil {
			a.command.SetErr(err)
			continue
		}
		groups[server] = append(groups[server], a)
	}
	var sent sync.WaitGroup
	if len(rest) > 0 {
		sent.Go(func() { pipeline(ctx, l.client, rest) })
	}
	for server, group := range groups {
		sent.Go(func() { l.carryAndWait(ctx, server, group...) })
	}
	sent.Wait()
}

func pipeline(ctx context.Context, client redis.UniversalClient, all []asked) {
	pipe := client.Pipeline()
	for _, a := range all {
		_ = pipe.Process(ctx, a.command) // queued
	}
	_, _ = pipe.Exec(ctx)
}

// process sends a command, together with others if it has company.
func (l *Ledger) process(ctx context.Context, command redis.Cmder) {
	a := asked{command: unrepeated{command}}
	if _, travels := l.join(ctx, a); !travels {
		_ = l.client.Process(ctx, a.command) // the command keeps the error
	}
}

// join sends a command together with others, if it has company. Who never had any
// is noticed: bulk leaves processors to such.
func (l *Ledger) join(ctx context.Context, a asked) (answered asked, ok bool) {
	m, travels := ctx.Value(memberKey{}).(*member)
	if travels && !m.left {
		return m.send(a), true
	}
	if !travels {
		l.bulk.noteOther()
	}
	return a, false
}

// unrepeated is a command that the driver sends once. In a cluster it would repeat
// what was not answered, whatever its settings say, and tell of the last attempt
// alone: a commit that was made, and could then not be asked about, would pass for
// one that was not sent. The ledger repeats by itself.
type unrepeated struct{ redis.Cmder }

// NoRetry says so to the driver.
func (unrepeated) NoRetry() bool { return true }
