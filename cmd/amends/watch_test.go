package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// heartbeat says how far the stream has come.
func heartbeat(token string) *recoveryv1.WatchCasesResponse {
	return recoveryv1.WatchCasesResponse_builder{Token: token}.Build()
}

// incident is an event of a case as it stands then.
func incident(token string, kind recoveryv1.TransitionKind, c *recoveryv1.Case) *recoveryv1.WatchCasesResponse {
	return recoveryv1.WatchCasesResponse_builder{Token: token, Event: recoveryv1.CaseEvent_builder{
		EventId: "e-" + token, Token: token, CaseId: c.GetCaseId(), Case: c, Band: c.GetAssessment().GetRisk().GetBand(),
		Transition: recoveryv1.Transition_builder{At: timestamppb.Now(), Kind: kind}.Build(),
	}.Build()}.Build()
}

// urgent is a case of a band of which something is due in so long.
func urgent(id string, band recoveryv1.Band, left time.Duration) *recoveryv1.Case {
	return recoveryv1.Case_builder{
		CaseId: id, Tenant: "default", State: recoveryv1.CaseState_CASE_STATE_OPEN, Revision: 1,
		Assessment: recoveryv1.Assessment_builder{Risk: recoveryv1.Risk_builder{Band: band}.Build()}.Build(),
		Deadlines: []*recoveryv1.Deadline{recoveryv1.Deadline_builder{
			Milestone: recoveryv1.Milestone_MILESTONE_OFFER, DueAt: timestamppb.New(time.Now().Add(left)), State: recoveryv1.DeadlineState_DEADLINE_STATE_PENDING,
		}.Build()},
	}.Build()
}

func listOf(cases ...*recoveryv1.Case) func(int, proto.Message) (proto.Message, error) {
	return func(int, proto.Message) (proto.Message, error) {
		return recoveryv1.ListCasesResponse_builder{Cases: cases}.Build(), nil
	}
}

const (
	opened  = recoveryv1.TransitionKind_TRANSITION_KIND_OPENED
	missed  = recoveryv1.TransitionKind_TRANSITION_KIND_MISSED
	high    = recoveryv1.Band_BAND_HIGH
	low     = recoveryv1.Band_BAND_LOW
	closing = recoveryv1.TransitionKind_TRANSITION_KIND_FOLLOWED_UP
)

// after waits for so many lines.
func after(n int) func(string) bool {
	return func(stdout string) bool { return strings.Count(stdout, "\n") >= n }
}

// idsOf are the event ids of lines of events; of a case as it stands, its id.
func idsOf(t *testing.T, stdout string) (ids []string) {
	t.Helper()
	for line := range strings.Lines(stdout) {
		event := parse(t, line, &recoveryv1.CaseEvent{})
		if event.GetToken() == "" {
			t.Errorf("no token in %s", line)
		}
		if event.GetEventId() == "" {
			ids = append(ids, "as it stands: "+event.GetCaseId())
		} else {
			ids = append(ids, event.GetEventId())
		}
	}
	return ids
}

// The cases as they stand come first, then each event once, over streams that break off in every way.
func TestWatchGoesOn(t *testing.T) {
	one := urgent("c.1", high, time.Hour)
	d := newDesk(t, &desk{
		answer: listOf(one),
		watch: func(n int, request *recoveryv1.WatchCasesRequest, send func(*recoveryv1.WatchCasesResponse), _ context.Context) error {
			send(heartbeat(fmt.Sprintf("%d0", n)))
			send(incident(fmt.Sprintf("%d1", n), missed, one))
			send(heartbeat(fmt.Sprintf("%d2", n)))
			switch n {
			case 1:
				return status.Error(codes.Unavailable, "going away")
			case 2:
				return nil
			case 3:
				return status.Error(codes.ResourceExhausted, "too slow")
			default:
				<-t.Context().Done()
				return nil
			}
		},
	})
	c := command{until: after(5)}
	o := c.works(t, "watch", "--server", d.address)
	if diff := cmp.Diff([]string{"as it stands: c.1", "e-11", "e-21", "e-31", "e-41"}, idsOf(t, o.stdout)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var tokens []string
	for _, request := range d.watches {
		tokens = append(tokens, request.GetResumeToken())
	}
	if diff := cmp.Diff([]string{"", "12", "22", "32"}, tokens); diff != "" {
		t.Errorf("it goes on with other tokens (-want +got):\n%s", diff)
	}
	if n := strings.Count(o.stderr, "connected again"); n != 3 || !strings.Contains(o.stderr, "lost (going away)") {
		t.Errorf("it says\n%s", o.stderr)
	}
	if n := len(d.asked()); n != 1 {
		t.Errorf("the cases were listed %d times", n)
	}
}

// Where events are lost it says so, and lists the cases anew.
func TestWatchResync(t *testing.T) {
	one := urgent("c.1", high, time.Hour)
	for name, row := range map[string]struct {
		args  []string
		lines []string
		says  string
		lists int
	}{
		"a list":       {[]string{"--resume", "old"}, []string{"as it stands: c.1", "e-1"}, "listing the cases anew", 1},
		"from now":     {[]string{"--resume", "old", "--from-now"}, []string{"e-1"}, "going on from now", 0},
		"of one kind":  {[]string{"--resume", "old", "--transition", "missed"}, []string{"e-1"}, "going on from now", 0},
		"nothing lost": {[]string{"--resume", "new"}, []string{"e-1"}, "", 0},
		"only events":  {[]string{"--from-now"}, []string{"e-1"}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, &desk{
				answer: listOf(one),
				watch: func(_ int, request *recoveryv1.WatchCasesRequest, send func(*recoveryv1.WatchCasesResponse), ctx context.Context) error {
					if request.GetResumeToken() == "old" {
						return refusal(t, codes.FailedPrecondition, "too old", info("RESYNC_REQUIRED"))
					}
					send(heartbeat("0"))
					send(incident("1", missed, one))
					<-ctx.Done()
					return nil
				},
			})
			o := command{until: after(len(row.lines))}.works(t, append([]string{"watch", "--server", d.address, "-o", "json"}, row.args...)...)
			if diff := cmp.Diff(row.lines, idsOf(t, o.stdout)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !strings.Contains(o.stderr, row.says) || row.says == "" && o.stderr != "" {
				t.Errorf("it says %q, want %q", o.stderr, row.says)
			}
			if len(d.asked()) != row.lists {
				t.Errorf("the cases were listed %d times", len(d.asked()))
			}
		})
	}
}

// A service that comes back with another store does not know the token that it gave.
func TestWatchOfAnotherStore(t *testing.T) {
	one := urgent("c.1", high, time.Hour)
	d := newDesk(t, &desk{
		answer: listOf(one),
		watch: func(_ int, request *recoveryv1.WatchCasesRequest, send func(*recoveryv1.WatchCasesResponse), _ context.Context) error {
			if request.GetResumeToken() != "" {
				return refusal(t, codes.FailedPrecondition, "of another store", info("RESYNC_REQUIRED"))
			}
			send(heartbeat("0"))
			return nil
		},
	})
	o := command{until: after(2)}.works(t, "watch", "--server", d.address)
	if n := len(idsOf(t, o.stdout)); n < 2 || !strings.Contains(o.stderr, "listing the cases anew") {
		t.Errorf("%d lines; it says\n%s", n, o.stderr)
	}
}

func TestWatchFilters(t *testing.T) {
	d := newDesk(t, &desk{watch: func(_ int, _ *recoveryv1.WatchCasesRequest, send func(*recoveryv1.WatchCasesResponse), _ context.Context) error {
		send(incident("1", missed, urgent("c.1", high, 0)))
		return nil
	}})
	command{until: after(1)}.works(t, "watch", "--server", d.address, "--tenant", "shop", "--customer", "c-1", "--band", "high,critical",
		"--transition", "missed,warned", "--resume", "t-1")
	want := parse(t, `{"tenant": "shop", "customerId": "c-1", "bands": ["BAND_HIGH", "BAND_CRITICAL"],
		"transitions": ["TRANSITION_KIND_MISSED", "TRANSITION_KIND_WARNED"], "resumeToken": "t-1"}`, &recoveryv1.WatchCasesRequest{})
	if diff := cmp.Diff(want, d.watches[0], protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What is refused would be refused again, and who was never there is not waited for.
func TestWatchGivesUp(t *testing.T) {
	for name, row := range map[string]struct {
		err   error
		code  int
		says  string
		calls int
	}{
		"refused":    {status.Error(codes.PermissionDenied, "not yours"), exitDenied, "PERMISSION_DENIED: not yours", 1},
		"bad token":  {status.Error(codes.InvalidArgument, "no token"), exitUsage, "no token", 1},
		"never":      {refusal(t, codes.Unavailable, "starting", info("STORE_UNAVAILABLE")), exitUnavailable, "starting", tries},
		"in circles": {refusal(t, codes.FailedPrecondition, "too old", info("RESYNC_REQUIRED")), exitConflict, "too old", tries},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, &desk{watch: func(int, *recoveryv1.WatchCasesRequest, func(*recoveryv1.WatchCasesResponse), context.Context) error {
				return row.err
			}})
			command{}.fails(t, row.code, []string{row.says}, "watch", "--server", d.address)
			if len(d.watches) != row.calls {
				t.Errorf("%d calls, want %d", len(d.watches), row.calls)
			}
		})
	}
	silent := newDesk(t, &desk{watch: func(_ int, _ *recoveryv1.WatchCasesRequest, _ func(*recoveryv1.WatchCasesResponse), ctx context.Context) error {
		<-ctx.Done()
		return nil
	}})
	command{}.fails(t, exitUnavailable, []string{"nothing was heard", "--timeout"}, "watch", "--server", silent.address, "--timeout", "50ms")
	command{terminal: true}.fails(t, exitUsage, []string{"add -o json"}, "watch", "--resume", "t")
}

// What a desk does is told to who watches the real service, and an erased customer is gone.
func TestWatchTheService(t *testing.T) {
	c := command{env: map[string]string{"AMENDS_SERVER": service(t)}}
	c.works(t, "report", "--customer", "c-1", "--kind", "rude", "--channel", "phone")
	id := parse(t, c.works(t, "cases", "-o", "json").stdout, &recoveryv1.Case{}).GetCaseId()
	isAcknowledged := false
	watch := c
	watch.until = func(stdout string) bool {
		if !isAcknowledged {
			isAcknowledged = true
			c.works(t, "ack", id)
		}
		return strings.Count(stdout, "\n") >= 2
	}
	var seen []string
	for line := range strings.Lines(watch.works(t, "watch").stdout) {
		event := parse(t, line, &recoveryv1.CaseEvent{})
		seen = append(seen, fmt.Sprintf("%s is %s, %s", event.GetCaseId(), joinEnums([]recoveryv1.CaseState{event.GetState()}), event.GetTransition().GetKind()))
	}
	want := []string{id + " is OPEN, TRANSITION_KIND_UNSPECIFIED", id + " is ACKNOWLEDGED, TRANSITION_KIND_ACKNOWLEDGED"}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if text := c.works(t, "erase", "--customer", "c-1", "--yes").stdout; !strings.Contains(text, "1 case ") {
		t.Errorf("it says\n%s", text)
	}
	if text := c.works(t, "cases").stdout; text != "No cases.\n" {
		t.Errorf("after the erasure there is\n%s", text)
	}
}
