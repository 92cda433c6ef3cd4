package ledger

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"

	"github.com/makeamends/amends/internal/recovery"
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
