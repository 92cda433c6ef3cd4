package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/makeamends/amends/client"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// sending is the stream of one file.
type sending struct {
	*intake
	client  *client.Client
	stop    context.CancelFunc // reading
	giveUp  context.CancelFunc // waiting for answers
	answers int
	lostAt  time.Time // since when no service answers; zero: it does
	failed  error     // why it cannot go on
}

// ahead is how many records are read ahead of the answers: more than the client has under way.
const ahead = 1024

// lastAnswers is how long an interrupted load waits for the answers under way.
const lastAnswers = 5 * time.Second

// send takes the file in, and fails if it could not come to its end; an interruption is no failure. c is nil where nothing is to be sent.
func (in *intake) send(ctx context.Context, c *client.Client) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	if err := in.open(reading); err != nil {
		return err
	}
	in.isOpen = true
	defer in.text.close()
	calls, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastAnswers, giveUp) })()
	s := &sending{intake: in, client: c, stop: stop, giveUp: giveUp}
	b := &bulk{lanes: 1, batch: 1, ahead: ahead, decode: in.decode, emit: in.emit, lane: func(*item) uint32 { return 0 }}
	if b.carry = s.carry; c == nil {
		b.carry, b.send = nil, func(context.Context, []*item) {}
	}
	return errors.Join(b.run(calls, in.untilStopped(reading)), s.failed)
}

// carry sends the units of a lane, and gives each its answer.
func (s *sending) carry(ctx context.Context, lane <-chan *unit) {
	sent := make(chan *unit, ahead+1) // all that can be under way, and the one that is waited for
	over := make(chan struct{})
	items := func(yield func(*recoveryv1.IngestRequest) bool) {
		for {
			select {
			case <-over:
				return
			case u, ok := <-lane:
				if !ok {
					return
				}
				select {
				case sent <- u:
				case <-over:
					u.giveUp()
					return
				}
				if !yield(u.items[0].message.(*recoveryv1.IngestRequest)) {
					return
				}
			}
		}
	}
	for got, err := range s.client.IngestAll(ctx, items, s.lost) {
		if err != nil {
			s.fail(err)
			close(over)
			break
		}
		s.answered()
		u := <-sent
		it := u.items[0]
		it.answer, it.replayed = got.Answer, got.Replayed
		if got.Err != nil {
			it.err = got.Err
		}
		close(u.done)
	}
	close(sent)
	for u := range sent {
		u.giveUp()
	}
	for u := range lane {
		u.giveUp()
	}
}

func (s *sending) fail(err error) {
	if s.failed == nil && client.Reason(err) != recoveryv1.ErrorReason_ERROR_REASON_CANCELLED {
		s.failed = s.connection.named(err, "")
	}
	s.stop()
}

func (s *sending) answered() {
	s.answers++
	if !s.lostAt.IsZero() {
		s.lostAt = time.Time{}
		s.say("answers come again")
	}
}

// lost is told of every error that may pass. A service that was never there is not waited for, and another one for --timeout.
func (s *sending) lost(e *client.Error) {
	now := s.now()
	if s.lostAt.IsZero() {
		s.lostAt = now
		if s.answers > 0 || !unreachable(e) {
			s.say(fmt.Sprintf("no answers for the moment, trying again: %s", dialCause(e.Message)))
		}
	}
	if s.answers == 0 && unreachable(e) || now.Sub(s.lostAt) >= s.connection.timeout {
		s.failed = s.connection.named(e, "")
		s.giveUp()
	}
}

// say tells something while records are counted.
func (s *sending) say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell("%s", text)
}
