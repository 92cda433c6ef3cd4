package ledger

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
)

// In the brief form a customer is the same as ever.
func TestTheBriefFormMeansTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c recovery.Customer
		fill(t, "Customer", reflect.ValueOf(&c).Elem())
		body, err := writtenText(&state{customer: c}, stateFields, true)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeState(body)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c, got.customer, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("stored and read again (-want +got):\n%s", diff)
		}
		if again, err := writtenText(&got, stateFields, true); err != nil || again != body {
			t.Fatalf("written again it is\n%x, not\n%x (%v)", again, body, err)
		}
	})
}

func TestMomentsAreBrief(t *testing.T) {
	begin := time.Date(2026, 3, 1, 9, 0, 0, 123_456_789, time.UTC)
	for name, tc := range map[string]struct {
		moment time.Time
		want   int // bytes; 0: is stored as ever
	}{
		"none":                      {time.Time{}, 0},
		"the beginning":             {begin, 1},
		"in five minutes":           {begin.Add(5 * time.Minute), 2},
		"in a week":                 {begin.AddDate(0, 0, 7), 4},
		"a day before":              {begin.AddDate(0, 0, -1), 3},
		"a blink before":            {begin.Add(-14*time.Millisecond - 1), 4},
		"an hour and a blink later": {begin.Add(time.Hour + 1), 7},
		"in a hundred years":        {begin.AddDate(100, 0, 0).Add(1), 10},
		"the last":                  {time.Unix(0, math.MaxInt64).UTC(), 0},
	} {
		r := record{begin: nanos(begin)}
		away, ok := r.away(tc.moment)
		if ok != (tc.want > 0) || ok && (protowire.SizeVarint(away) != tc.want || !r.back(away).Equal(tc.moment)) {
			t.Errorf("%s: %d bytes (%v), and back it is %v", name, protowire.SizeVarint(away), ok, r.back(away))
		}
	}
}

func TestDamagedBriefRecordsAreRefused(t *testing.T) {
	body, err := writtenText(&state{customer: typical()}, stateFields, true)
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string]string{
		"another form": "\x00\x02" + body[len(briefMark):],
		"half a mark":  briefMark[:1],
		"cut off":      body[:len(body)/2],
	} {
		if s, err := decodeState(damaged); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// A store keeps the layout that it was born with, so that programs which know no other
// can go on with it, until an operator says that none of them is left.
func TestLayouts(t *testing.T) {
	t.Parallel()
	l := openAt(t, redistest.Server(t).URL())
	admin := asAdmin(t, l).client
	n := mustNames(t, l, l.Key("shop", "customer"))
	layout := func(to string) error {
		t.Helper()
		if err := admin.HSet(t.Context(), metaKey, "layout", to).Err(); err != nil {
			t.Fatal(err)
		}
		return l.Ready(t.Context())
	}
	stored := func(what, field string, brief bool) {
		t.Helper()
		if body := admin.HGet(t.Context(), n.customer, field).Val(); body == "" || strings.HasPrefix(body, briefMark) != brief {
			t.Errorf("%s: stored as %q", what, body)
		}
		want := typical().Open[0]
		if _, cases, err := l.Cases(t.Context(), n.key); err != nil || len(cases) == 0 || !cmp.Equal(cases[0].Failure, want.Failure) {
			t.Errorf("%s: cases %+v, %v", what, cases, err)
		}
	}
	open := func(id string) { mustUpdate(t, l, one(l, "customer", id), typically) }
	end := func(id string) { mustUpdate(t, l, one(l, "customer", id), closes) }

	open("1")
	stored("a new store", "s", true)
	if err := layout(layoutPlain); err != nil {
		t.Error(err)
	}
	open("2")
	stored("one of before", "s", false)
	end("3")
	stored("one of before, a closed case", caseField(1), false)
	if err := layout(layoutBrief); err != nil {
		t.Error(err)
	}
	open("4")
	stored("the same, later", "s", true)
	end("5")
	stored("the same, a closed case", caseField(1), true)
	if err := layout("3"); err == nil || !strings.Contains(err.Error(),
		"has layout 3, and this program knows layouts 1 and 2; run the version of the program that wrote it") {
		t.Errorf("one of later: %v", err)
	}
}
