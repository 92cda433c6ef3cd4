package calendar

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// zones change their clocks in all the ways that there are: by an hour, by half
// an hour, at midnight, by a whole day, in winter (Dublin), twice more for
// Ramadan (Casablanca), or never.
var zones = []string{
	"UTC", "Europe/Berlin", "Europe/Dublin", "America/New_York", "America/Sao_Paulo", "America/St_Johns",
	"Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu", "Asia/Gaza", "Pacific/Apia", "Pacific/Kiritimati",
}

func location(t rapid.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestClockKnowsEveryOffset(t *testing.T) {
	for _, name := range zones {
		loc := location(t, name)
		c := newClock(loc)
		check := func(sec int64) {
			_, want := time.Unix(sec, 0).In(loc).Zone()
			if got := c[c.at(sec)].offset; got != int64(want) {
				t.Fatalf("%s: offset %d at %s, want %d", name, got, time.Unix(sec, 0).UTC(), want)
			}
		}
		for _, p := range c[1:] {
			check(p.start - 1)
			check(p.start)
		}
		for d := range knownDays {
			check(d * 86_400)
		}
	}
}

func TestClockInstantIsTheFirstMomentThatShowsTheTimeOrLater(t *testing.T) {
	for _, name := range zones {
		loc := location(t, name)
		c := newClock(loc)
		for _, p := range c[1:] {
			if p.start > 2_500_000_000 { // later changes follow the same rules
				break
			}
			// Minute by minute over two days around the change, at which the first
			// moment is looked for in the plain way.
			first := map[int64]int64{}
			from, shown := p.start-86_400, int64(0)
			for sec := from; sec < p.start+86_400; sec += 60 {
				_, offset := time.Unix(sec, 0).In(loc).Zone()
				wall := sec + int64(offset)
				if sec == from {
					shown = wall - 60
				}
				for ; shown < wall; shown += 60 {
					first[shown+60] = sec
				}
			}
			near := 0
			for wall, want := range first {
				if got := c.instant(wall, &near); got != want {
					t.Fatalf("%s: the clock shows %s first at %s, want %s", name,
						time.Unix(wall, 0).UTC(), time.Unix(got, 0).UTC(), time.Unix(want, 0).UTC())
				}
			}
		}
	}
}
