package calendar

import (
	"testing"
	"time"
)

func benchmarkSpecs() map[string]Spec {
	return map[string]Spec{
		"always":   {},
		"business": {TimeZone: "Europe/Berlin", Hours: split, Holidays: []Holiday{{Public: "DE"}}},
	}
}

func BenchmarkAdd(b *testing.B) {
	from := moment(b, "2026-10-21 10:00+02:00") // over the end of summer time
	for name, spec := range benchmarkSpecs() {
		c := build(b, spec)
		for _, d := range []time.Duration{4 * time.Hour, 24 * time.Hour, 120 * time.Hour} {
			b.Run(name+"/"+d.String(), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c.Add(from, d)
				}
			})
		}
	}
}

func BenchmarkBetween(b *testing.B) {
	from := moment(b, "2026-10-21 10:00+02:00")
	for name, spec := range benchmarkSpecs() {
		c := build(b, spec)
		b.Run(name+"/30 days", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Between(from, from.AddDate(0, 0, 30))
			}
		})
	}
}

func BenchmarkAddToTheHorizon(b *testing.B) {
	c := build(b, Spec{Hours: map[time.Weekday][]Interval{time.Monday: {{0, time.Minute}}}})
	from := moment(b, "2026-10-21 10:00+02:00")
	for b.Loop() {
		c.Add(from, 1<<62)
	}
}

func BenchmarkNew(b *testing.B) {
	spec := benchmarkSpecs()["business"]
	for b.Loop() {
		if _, err := New(spec); err != nil {
			b.Fatal(err)
		}
	}
}
