package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/show"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

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

// That events are lost is said for a while, although all is well again and the cases are listed anew.
func TestBoardTellsWhatIsLost(t *testing.T) {
	d := newDesk(t, &desk{
		answer: listOf(urgent("c.1", high, time.Hour)),
		watch: func(n int, request *recoveryv1.WatchCasesRequest, send func(*recoveryv1.WatchCasesResponse), ctx context.Context) error {
			switch {
			case n == 1:
				send(heartbeat("of a store that ends with the server"))
				time.Sleep(2 * redraw)
				return refusal(t, codes.Unavailable, "this server ends; nothing is lost: go on with another one", info("SERVER_ENDING"))
			case request.GetResumeToken() != "":
				return refusal(t, codes.FailedPrecondition, "of another store", info("RESYNC_REQUIRED"))
			}
			send(heartbeat("of the next one"))
			<-ctx.Done()
			return nil
		},
	})
	wellSince := time.Time{}
	c := command{
		terminal: true, env: map[string]string{"NO_COLOR": "1", "COLUMNS": "120", "LINES": "16"},
		until: func(stdout string) bool {
			d.mu.Lock()
			isBack := len(d.watches) == 3
			d.mu.Unlock()
			if isBack && wellSince.IsZero() {
				wellSince = time.Now()
			}
			return isBack && time.Since(wellSince) > 3*redraw
		},
	}
	o := c.works(t, "watch", "--server", d.address)
	frames := screens(o.stdout)
	if last := frames[len(frames)-1]; !strings.Contains(last, "some events are lost") || !strings.Contains(last, "c.1") {
		t.Errorf("the board is in the end\n%s", last)
	}
	ending := refusal(t, codes.Unavailable, "this server ends; nothing is lost: go on with another one", info("SERVER_ENDING"))
	if said := lostCause(ofService(ending)); strings.Contains(said, "nothing is lost") {
		t.Errorf("only the next server can tell whether %q", said)
	}
	view := newBoardView(nil, nil)
	view.lost("some events are lost")
	view.told("")
	now := time.Now()
	for _, row := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {showLoss - time.Second, true}, {showLoss, false}} {
		text := strings.Join(view.lines(show.Page{Width: 80, Now: now.Add(row.after)}, 10), "\n")
		if strings.Contains(text, "some events are lost") != row.want {
			t.Errorf("after %v:\n%s", row.after, text)
		}
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
	c := &connection{server: d.address, timeout: time.Minute}
	opened, err := c.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	f := &feed{
		connection: c, client: opened,
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
