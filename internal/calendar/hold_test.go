package calendar

import (
	"testing"
	"time"
)

func TestAddAroundSkipsHolds(t *testing.T) {
	type hold struct{ from, until string }
	office, always := Spec{TimeZone: "Europe/Berlin", Hours: office}, Spec{}
	const friday4pm = "2026-11-20 16:00+01:00"
	for _, row := range []struct {
		name  string
		spec  Spec
		d     time.Duration
		holds []hold
		want  string // empty: never
	}{
		{"no hold", office, 2 * time.Hour, nil, "2026-11-23 10:00+01:00"},
		{"a hold over the weekend costs nothing", office, 2 * time.Hour, []hold{{"2026-11-20 17:00+01:00", "2026-11-23 09:00+01:00"}}, "2026-11-23 10:00+01:00"},
		{"a hold from Friday afternoon to Monday morning", office, 2 * time.Hour, []hold{{"2026-11-20 16:30+01:00", "2026-11-23 11:00+01:00"}}, "2026-11-23 12:30+01:00"},
		{"the same hold, always open", always, 2 * time.Hour, []hold{{"2026-11-20 16:30+01:00", "2026-11-23 11:00+01:00"}}, "2026-11-23 12:30+01:00"},
		{"a hold that is released at night", office, 2 * time.Hour, []hold{{"2026-11-20 15:30+00:00", "2026-11-24 02:00+00:00"}}, "2026-11-24 10:30+01:00"},
		{"a hold that began before", office, time.Hour, []hold{{"2026-11-01 00:00+01:00", "2026-11-20 16:30+01:00"}}, "2026-11-23 09:30+01:00"},
		{"a hold since ever", office, time.Hour, []hold{{"", "2026-11-20 16:30+01:00"}}, "2026-11-23 09:30+01:00"},
		{"a hold that is over", office, time.Hour, []hold{{"2026-11-01 00:00+01:00", "2026-11-02 00:00+01:00"}}, "2026-11-20 17:00+01:00"},
		{"a hold that comes too late", office, time.Hour, []hold{{"2026-11-23 00:00+01:00", ""}}, "2026-11-20 17:00+01:00"},
		{"due just when the hold begins", office, 30 * time.Minute, []hold{{"2026-11-20 16:30+01:00", ""}}, "2026-11-20 16:30+01:00"},
		{"still held", office, 31 * time.Minute, []hold{{"2026-11-20 16:30+01:00", ""}}, ""},
		{"held from the start and still", office, time.Nanosecond, []hold{{"2026-11-20 16:00+01:00", ""}}, ""},
		{"nothing to wait for", office, 0, []hold{{"2026-11-20 16:00+01:00", ""}}, friday4pm},
		{"holds that overlap, in no order", always, time.Hour, []hold{
			{"2026-11-20 18:00+01:00", "2026-11-20 19:00+01:00"},
			{"2026-11-20 16:30+01:00", "2026-11-20 17:00+01:00"},
			{"2026-11-20 16:40+01:00", "2026-11-20 16:50+01:00"},
			{"2026-11-20 16:45+01:00", "2026-11-20 17:45+01:00"},
		}, "2026-11-20 19:15+01:00"},
		{"a hold that ends before it begins is none", always, 4 * time.Hour, []hold{{"2026-11-20 18:00+01:00", "2026-11-20 17:00+01:00"}}, "2026-11-20 20:00+01:00"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var holds []Hold
			for _, h := range row.holds {
				var v Hold
				if h.from != "" {
					v.From = moment(t, h.from)
				}
				if h.until != "" {
					v.Until = moment(t, h.until)
				}
				holds = append(holds, v)
			}
			want := Never
			if row.want != "" {
				want = moment(t, row.want)
			}
			from := moment(t, friday4pm)
			got := build(t, row.spec).AddAround(from, row.d, holds)
			if !got.Equal(want) {
				t.Errorf("got %s, want %s", got, want)
			}
			if !got.Equal(Never) && zoneOffset(got) != zoneOffset(from) {
				t.Errorf("got %s, which is not in the caller's location", got)
			}
		})
	}
}
