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

	"github.com/makeamends/amends/internal/show"
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
				return status.Error(codes.InvalidArgument, "no token of mine")
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

// screens are the frames that were drawn, without what only moves and colours.
func screens(stdout string) []string {
	frames := strings.Split(strings.NewReplacer(clearLine, "", clearBelow, "", clearAll, "", "\r", "").Replace(stdout), home)
	return frames[1:]
}

// The board begins with the list, follows the events, and leaves the terminal as it was.
func TestBoard(t *testing.T) {
	first, second, quiet := urgent("c.first", high, time.Hour), urgent("c.second", high, 2*time.Hour), urgent("c.quiet", low, time.Minute)
	stale := proto.CloneOf(first)
	stale.SetRevision(0)
	stale.SetDeadlines(nil)
	d := newDesk(t, &desk{
		answer: listOf(first, second, quiet),
		watch: func(n int, _ *recoveryv1.WatchCasesRequest, send func(*recoveryv1.WatchCasesResponse), _ context.Context) error {
			if n > 1 {
				return status.Error(codes.Unavailable, "going away")
			}
			send(heartbeat("0"))
			time.Sleep(2 * redraw) // the list is drawn
			send(incident("1", opened, urgent("c.third", high, time.Minute)))
			send(incident("2", missed, stale))
			over := proto.CloneOf(second)
			over.SetState(recoveryv1.CaseState_CASE_STATE_FOLLOWED_UP)
			send(incident("3", closing, over))
			gone := incident("4", missed, quiet)
			gone.GetEvent().ClearCase()
			gone.GetEvent().SetBand(high)
			send(gone)
			return status.Error(codes.Unavailable, "going away")
		},
	})
	c := command{
		terminal: true, env: map[string]string{"NO_COLOR": "1", "COLUMNS": "90", "LINES": "16"},
		until: func(stdout string) bool { return strings.Contains(stdout, "going away") },
	}
	o := c.works(t, "watch", "--server", d.address, "--band", "high", "--transition", "missed,followed_up")
	if !strings.HasPrefix(o.stdout, enterScreen) || !strings.HasSuffix(o.stdout, leaveScreen) {
		t.Errorf("the terminal is not left as it was: %q", o.stdout)
	}
	if request := d.watches[0]; len(request.GetBands())+len(request.GetTransitions()) > 0 {
		t.Errorf("what leaves a band would stay on the board: %v", request)
	}
	frames := screens(o.stdout)
	listed, last := "", frames[len(frames)-1]
	for _, frame := range frames {
		if listed == "" && strings.Contains(frame, "2 cases · 2 HIGH") {
			listed = frame
		}
		if n := strings.Count(frame, "\n"); n > 15 {
			t.Errorf("%d lines in\n%s", n+1, frame)
		}
	}
	if strings.Index(listed, "c.first") > strings.Index(listed, "c.second") || !strings.Contains(listed, "c.first") || strings.Contains(listed, "c.quiet") {
		t.Errorf("the list is drawn as\n%s", listed)
	}
	for word, want := range map[string]bool{
		"2 cases": true, "c.third  HIGH": true, "c.first  HIGH  open   offer  ": true, "c.second  followed up": true, "c.second  HIGH": false,
		"c.third  opened": false, "lost (going away)": true,
	} {
		if strings.Contains(last, word) != want {
			t.Errorf("%q is on the board: %v, want %v\n%s", word, !want, want, last)
		}
	}
	if o.stderr != "" {
		t.Errorf("the board is written over by %q", o.stderr)
	}
}

// A case that no event takes away is gone with the next list.
func TestBoardListsAnew(t *testing.T) {
	d := newDesk(t, &desk{
		answer: func(n int, request proto.Message) (proto.Message, error) {
			return listOf([]*recoveryv1.Case{urgent("c.2", high, time.Hour), urgent("c.1", high, time.Hour)}[:max(3-n, 1)]...)(n, request)
		},
		watch: func(_ int, _ *recoveryv1.WatchCasesRequest, send func(*recoveryv1.WatchCasesResponse), ctx context.Context) error {
			send(heartbeat("0"))
			send(heartbeat("1"))
			send(incident("2", missed, urgent("c.2", high, time.Hour)))
			<-ctx.Done()
			return nil
		},
	})
	view := newBoardView(nil, nil)
	ctx, cancel := context.WithCancel(t.Context())
	conn, err := (&connection{server: d.address, timeout: time.Minute}).dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	f := &feed{
		connection: &connection{server: d.address, timeout: time.Minute}, client: recoveryv1.NewRecoveryServiceClient(conn),
		list: &recoveryv1.ListCasesRequest_builder{}, anew: time.Nanosecond, to: interrupted{view, cancel},
	}
	if err := f.run(ctx); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(view.lines(show.Page{Width: 80, Now: time.Now()}, 10), "\n"); !strings.Contains(text, "1 case ·") {
		t.Errorf("the board is\n%s", text)
	}
}

// interrupted ends a feed with its first event.
type interrupted struct {
	*boardView
	cancel context.CancelFunc
}

func (i interrupted) happened(event *recoveryv1.CaseEvent) error {
	defer i.cancel()
	return i.boardView.happened(event)
}

// A terminal that was entered is left also when the watch fails.
func TestBoardFails(t *testing.T) {
	d := newDesk(t, &desk{watch: func(int, *recoveryv1.WatchCasesRequest, func(*recoveryv1.WatchCasesResponse), context.Context) error {
		return status.Error(codes.PermissionDenied, "not yours")
	}})
	o := command{terminal: true}.fails(t, exitDenied, []string{"not yours"}, "watch", "--server", d.address)
	if !strings.HasSuffix(o.stdout, leaveScreen) {
		t.Errorf("the terminal is not left: %q", o.stdout)
	}
	dumb := command{terminal: true, env: map[string]string{"TERM": "dumb"}}
	if o := dumb.fails(t, exitDenied, nil, "watch", "--server", d.address); o.stdout != "" {
		t.Errorf("a dumb terminal is written on: %q", o.stdout)
	}
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
