package rpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/panics"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/spans"
	"github.com/makeamends/amends/internal/watch"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Watching lets callers follow transitions as they happen.
type Watching interface {
	Open(tenant, token string) (watch.Place, error)
	Watch(ctx context.Context, at watch.Place, want func(*ledger.Event) bool) (*watch.Watcher, error)
}

// ErrEnding is the cause with which a server that ends cancels its streams. Another
// cause that is answered like it says so by errors.Is.
var ErrEnding = errors.New("the server ends")

// lastTime is how long a watch that is over waits for its reader to take the
// message under way.
const lastTime = time.Second

// WatchCases sends transitions as they happen.
func (s *Service) WatchCases(req *recoveryv1.WatchCasesRequest, stream grpc.ServerStreamingServer[recoveryv1.WatchCasesResponse]) error {
	req.SetTenant(cmp.Or(req.GetTenant(), DefaultTenant))
	at, err := s.place(req)
	if err != nil {
		return err
	}
	if _, err := tenantOf(stream.Context(), req.GetTenant()); err != nil {
		return err
	}
	w, err := s.watching.Watch(stream.Context(), at, s.wanted(req))
	if err != nil {
		if cause := context.Cause(stream.Context()); errors.Is(cause, ErrEnding) {
			return cause
		}
		return err
	}
	defer w.Close()
	d := newDelivery(stream, w, s.tracer)
	defer close(d.out)
	return d.deliver()
}

// place is where the watch begins, or all that is wrong with the request.
func (s *Service) place(req *recoveryv1.WatchCasesRequest) (watch.Place, error) {
	var faults []fault
	at, err := s.watching.Open(req.GetTenant(), req.GetResumeToken())
	if err != nil {
		faults = []fault{{field: "resume_token", allowed: "must be a token that WatchCases gave"}}
	}
	return at, s.inspect.with(req, faults)
}

// wanted is the filter of the request but for the tenant.
func (s *Service) wanted(req *recoveryv1.WatchCasesRequest) func(*ledger.Event) bool {
	var key ledger.Key
	if req.GetCustomerId() != "" {
		key = s.ledger.Key(req.GetTenant(), req.GetCustomerId())
	}
	bands, kinds := req.GetBands(), req.GetTransitions()
	return func(e *ledger.Event) bool {
		return (key == "" || e.Key == key) &&
			(len(bands) == 0 || slices.Contains(bands, recoveryv1.Band(e.Band))) &&
			(len(kinds) == 0 || slices.Contains(kinds, recoveryv1.TransitionKind(e.Transition.Change)))
	}
}

// delivery is the sending side of one watch. It sends from a goroutine of its
// own: a message to a reader who takes nothing keeps its sender waiting, and
// the watch must be able to end all the same.
type delivery struct {
	ctx     context.Context
	watcher *watch.Watcher
	tracer  trace.Tracer
	out     chan *recoveryv1.WatchCasesResponse
	sent    chan error
}

func newDelivery(stream grpc.ServerStreamingServer[recoveryv1.WatchCasesResponse], w *watch.Watcher, t trace.Tracer) *delivery {
	d := &delivery{ctx: stream.Context(), watcher: w, tracer: t, out: make(chan *recoveryv1.WatchCasesResponse), sent: make(chan error, 1)}
	go func() {
		for m := range d.out {
			d.sent <- panics.Caught(func() error { return stream.Send(m) })
		}
	}()
	return d
}

// deliver sends until the watch is over. On a server that ends, the last
// message says where to go on.
func (d *delivery) deliver() error {
	for {
		e, err := d.watcher.Next(d.ctx)
		ending := err != nil && errors.Is(context.Cause(d.ctx), ErrEnding)
		if err != nil && !ending {
			return err
		}
		if err := d.give(e); err != nil {
			return err
		}
		if ending {
			return context.Cause(d.ctx)
		}
	}
}

// give sends an event, or none, with the token behind it.
func (d *delivery) give(e *watch.Event) error {
	token := d.watcher.Token()
	answer := &recoveryv1.WatchCasesResponse{}
	answer.SetToken(token)
	if e == nil {
		return d.send(answer)
	}
	span := spans.Deliver(d.ctx, d.tracer, &e.Event)
	defer span.End()
	answer.SetEvent(caseEvent(e, token))
	err := d.send(answer)
	if err != nil {
		spans.Failed(span)
	}
	return err
}

// send waits until the message is on its way or, once the watch is over, for
// lastTime.
func (d *delivery) send(m *recoveryv1.WatchCasesResponse) error {
	d.out <- m
	select {
	case err := <-d.sent:
		return gone(err)
	case <-d.watcher.Ended():
	case <-d.ctx.Done():
	}
	limit := time.NewTimer(lastTime)
	defer limit.Stop()
	select {
	case err := <-d.sent:
		return gone(err)
	case <-limit.C:
		_, err := d.watcher.Next(d.ctx) // tells why
		return cmp.Or(context.Cause(d.ctx), err)
	}
}

// gone is how a message fails: nobody is there to take it.
func gone(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("send: %w (%w)", context.Canceled, err)
}

func caseEvent(e *watch.Event, token string) *recoveryv1.CaseEvent {
	id := ledger.CaseID(e.Key, e.Case)
	return recoveryv1.CaseEvent_builder{
		EventId:    e.ID,
		Token:      token,
		Tenant:     e.Tenant,
		CaseId:     id,
		Transition: transition(id, &e.Transition),
		Band:       recoveryv1.Band(e.Band),
		Case:       e.Now,
		State:      recoveryv1.CaseState(e.State),
		Revision:   e.Revision,
		RespondBy:  timestamp(e.RespondBy),
		RecordedAt: timestamp(e.RecordedAt),
	}.Build()
}

func transition(caseID string, t *recovery.Transition) *recoveryv1.Transition {
	out := recoveryv1.Transition_builder{
		At:        timestamp(t.At),
		Kind:      recoveryv1.TransitionKind(t.Change),
		Milestone: recoveryv1.Milestone(t.Milestone),
	}.Build()
	if t.Offer > 0 {
		out.SetOfferId(OfferID(caseID, t.Offer))
	}
	return out
}

// ShowCases makes what watchers see of cases as they stand. Each is shown once
// for all who watch, so none may change it.
func ShowCases(book Rulebook) func(context.Context, []ledger.Event, []*recovery.Case) ([]*recoveryv1.Case, error) {
	return func(ctx context.Context, events []ledger.Event, cases []*recovery.Case) ([]*recoveryv1.Case, error) {
		var versions []string
		for _, k := range cases {
			if k != nil && !slices.Contains(versions, k.Policy) {
				versions = append(versions, k.Policy)
			}
		}
		rules, err := book.Rules(ctx, versions...)
		if err != nil {
			return nil, err
		}
		shown := make([]*recoveryv1.Case, len(cases))
		once := make(map[*recovery.Case]*recoveryv1.Case, len(cases))
		for i, k := range cases {
			if k != nil && once[k] == nil {
				once[k] = encode(origin{events[i].Tenant, events[i].Key}, k, rules)
			}
			shown[i] = once[k]
		}
		return shown, nil
	}
}
