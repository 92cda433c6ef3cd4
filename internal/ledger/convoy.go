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
	c := &convoy{ctx: ctx, client: l.client, processors: l.bulk, members: n, next: newTrip()}
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
	client     redis.UniversalClient
	turn       sync.Mutex      // held by the one member that uses the processor
	processors *processors     // of all convoys
	inUse      <-chan struct{} // where its processor is from, see [processors.take]; nil: it has none
	kept       int             // for how many turns in a row
	coming     atomic.Int32    // who wait for the turn

	mu      sync.Mutex
	members int // who have neither ended nor fallen behind
	next    *trip
}

// trip is one pipeline.
type trip struct {
	commands []redis.Cmder
	back     chan struct{} // closed when all are answered
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

// send adds a command to the next pipeline, and returns when it is answered.
func (m *member) send(command redis.Cmder) {
	c := m.convoy
	c.mu.Lock()
	t := c.next
	t.commands = append(t.commands, command)
	last := c.complete() != nil
	c.mu.Unlock()
	c.rest()
	defer c.begin()
	if last {
		t.travel(c)
	} else {
		<-t.back
	}
}

// complete gives the trip that nobody is missing from, and prepares the next one;
// nil: somebody is.
func (c *convoy) complete() *trip {
	t := c.next
	if len(t.commands) == 0 || len(t.commands) < c.members {
		return nil
	}
	c.next = newTrip()
	return t
}

// travel sends the pipeline. Each command keeps its own error.
func (t *trip) travel(c *convoy) {
	defer close(t.back)
	pipe := c.client.Pipeline()
	for _, command := range t.commands {
		_ = pipe.Process(c.ctx, command) // queued
	}
	_, _ = pipe.Exec(c.ctx)
}

// process sends a command, together with others if it has company.
func (l *Ledger) process(ctx context.Context, command redis.Cmder) {
	command = unrepeated{command}
	m, travels := ctx.Value(memberKey{}).(*member)
	if travels && !m.left {
		m.send(command)
		return
	}
	if !travels {
		l.bulk.noteOther()
	}
	_ = l.client.Process(ctx, command) // the command keeps the error
}

// unrepeated is a command that the driver sends once. In a cluster it would repeat
// what was not answered, whatever its settings say, and tell of the last attempt
// alone: a commit that was made, and could then not be asked about, would pass for
// one that was not sent. The ledger repeats by itself.
type unrepeated struct{ redis.Cmder }

// NoRetry says so to the driver.
func (unrepeated) NoRetry() bool { return true }
