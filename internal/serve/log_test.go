package serve_test

import (
	"encoding/json"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/internal/redistest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// itemsLine is what the log says of items that were refused.
type itemsLine struct {
	Level, Msg, Method, Code, Reason, Cause string
	Items                                   []int
	TraceID                                 string `json:"trace_id"`
}

// loggedItems are the lines about items of a method.
func (r *running) loggedItems(t *testing.T, method string) (found []itemsLine) {
	t.Helper()
	for text := range strings.Lines(r.log.String()) {
		var line itemsLine
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if line.Msg == "items" && strings.HasSuffix(line.Method, "/"+method) {
			found = append(found, line)
		}
	}
	return found
}

// expectItems expects that the log tells of just these items as it does of a call
// that failed, and names nobody.
func (r *running) expectItems(t *testing.T, method, cause string, want []int) {
	t.Helper()
	var got []int
	for _, line := range r.loggedItems(t, method) {
		if line.Level != "ERROR" || line.Code != "Internal" || line.Reason != "INTERNAL" || !strings.Contains(line.Cause, cause) || line.TraceID == "" {
			t.Errorf("%s is logged as %+v", method, line)
		}
		got = append(got, line.Items...)
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("the log tells of the items %v of %s, want %v", got, method, want)
	}
}

// TestFailedItemsAreLogged: what the service cannot do for an item of a load or a
// batch is in the log with its cause, although the call itself ends well. What is
// the caller's fault is not.
func TestFailedItemsAreLogged(t *testing.T) {
	collect(t)
	store := redistest.Server(t)
	r := start(t, serve.Config{Redis: store.URL(), Sweep: time.Hour})
	id := r.mustReport(t, event("first-of-broken", "broken")).GetCaseId()
	key, _, _ := strings.Cut(strings.TrimPrefix(id, "c"), ".")
	keys := store.Client().Keys(t.Context(), "*:c"+key).Val()
	if len(keys) != 1 {
		t.Fatalf("the keys of the customer are %q", keys)
	}
	if err := store.Client().HSet(t.Context(), keys[0], "v", "2.by hand", "s", "\xff\xff").Err(); err != nil {
		t.Fatal(err)
	}
	items := []*recoveryv1.IngestRequest{
		recoveryv1.IngestRequest_builder{Failure: event("of-whole", "whole")}.Build(),
		recoveryv1.IngestRequest_builder{Failure: event("of-broken", "broken")}.Build(),
		recoveryv1.IngestRequest_builder{Failure: event("", "")}.Build(),
		recoveryv1.IngestRequest_builder{Interaction: praise("good-of-broken", "broken")}.Build(),
	}
	var refused []int
	err := ingest(t.Context(), r.recovery, items, func(n int, a *recoveryv1.IngestResponse) {
		if a.GetError().GetCode() == int32(codes.Internal) || a.GetInteraction().GetError().GetCode() == int32(codes.Internal) {
			refused = append(refused, n)
		}
	})
	if err != nil || !slices.Equal(refused, []int{1, 3}) {
		t.Fatalf("refused %v, %v", refused, err)
	}
	r.expectItems(t, "Ingest", keys[0], refused)

	if _, err := r.praise(t.Context(), praise("i-1", "whole"), praise("", "whole"), praise("i-2", "broken"), praise("i-3", "broken")); err != nil {
		t.Fatal(err)
	}
	r.expectItems(t, "RecordInteractions", keys[0], []int{2, 3})
	// Where it is the error of the call, the line of the call tells of it.
	if _, err := r.praise(t.Context(), praise("i-4", "broken")); status.Code(err) != codes.Internal {
		t.Errorf("a batch of the broken alone: %v", err)
	}
	r.expectItems(t, "RecordInteractions", keys[0], []int{2, 3})
	for _, word := range []string{"of-broken", `"broken"`, "i-2"} {
		if strings.Contains(r.log.String(), word) {
			t.Errorf("the log has %s", word)
		}
	}
}

// TestPanicOverAnItem ends no stream, and the log has its place.
func TestPanicOverAnItem(t *testing.T) {
	collect(t)
	var armed atomic.Bool
	r := start(t, serve.Config{Sweep: time.Hour, Now: func() time.Time {
		if armed.Load() {
			panic("boom")
		}
		return noon
	}})
	stream, err := r.recovery.Ingest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []codes.Code{codes.OK, codes.Internal, codes.OK} {
		armed.Store(want != codes.OK)
		if err := stream.Send(recoveryv1.IngestRequest_builder{Failure: event(string(rune('a'+n)), "c")}.Build()); err != nil {
			t.Fatal(err)
		}
		answer, err := stream.Recv()
		if err != nil || codes.Code(answer.GetError().GetCode()) != want {
			t.Fatalf("item %d: %v, %v", n, answer, err)
		}
	}
	r.expectItems(t, "Ingest", "boom", []int{1})
}
