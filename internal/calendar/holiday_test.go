package calendar

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rickar/cal/v2"
)

// closedIn lists the closed days of a year.
func closedIn(t *testing.T, year int, h ...Holiday) []string {
	t.Helper()
	c := build(t, Spec{Holidays: h})
	var out []string
	for d := time.Date(year, 1, 1, 12, 0, 0, 0, time.UTC); d.Year() == year; d = d.AddDate(0, 0, 1) {
		if !c.Open(d) {
			out = append(out, d.Format(time.DateOnly))
		}
	}
	return out
}

func TestHolidaysCloseDays(t *testing.T) {
	for _, row := range []struct {
		name string
		year int
		rule Holiday
		want []string
	}{
		{"one day", 2026, Holiday{Date: "2026-12-24"}, []string{"2026-12-24"}},
		{"not in another year", 2027, Holiday{Date: "2026-12-24"}, nil},
		{"every year", 2031, Holiday{Date: "12-24"}, []string{"2031-12-24"}},
		{"first known year", 1970, Holiday{Date: "01-01"}, []string{"1970-01-01"}},
		{"last known year", 2100, Holiday{Date: "12-31"}, []string{"2100-12-31"}},
		{"none behind the known years", 2101, Holiday{Date: "12-31"}, nil},
		{"none before the known years", 1969, Holiday{Date: "12-31"}, nil},
		{"leap day", 2028, Holiday{Date: "02-29"}, []string{"2028-02-29"}},
		{"no leap day in 2027", 2027, Holiday{Date: "02-29"}, nil},
		{"no leap day in 2100", 2100, Holiday{Date: "02-29"}, nil},
		{"Saturday stays on Saturday", 2027, Holiday{Date: "12-25"}, []string{"2027-12-25"}},
		{"Saturday and the Monday after", 2027, Holiday{Date: "12-25", Observed: NextMonday}, []string{"2027-12-25", "2027-12-27"}},
		{"Sunday and the Monday after", 2022, Holiday{Date: "12-25", Observed: NextMonday}, []string{"2022-12-25", "2022-12-26"}},
		{"Saturday and the Friday before", 2026, Holiday{Date: "07-04", Observed: NearestWeekday}, []string{"2026-07-03", "2026-07-04"}},
		{"Sunday and the nearest Monday", 2027, Holiday{Date: "07-04", Observed: NearestWeekday}, []string{"2027-07-04", "2027-07-05"}},
		{"New Year 2028, a Saturday, reaches back to Friday 31 December 2027", 2027, Holiday{Date: "01-01", Observed: NearestWeekday}, []string{"2027-01-01", "2027-12-31"}},
		{"and so does that of 2101, after the last known year", 2100, Holiday{Date: "01-01", Observed: NearestWeekday}, []string{"2100-01-01", "2100-12-31"}},
		{"Good Friday", 2026, Holiday{Easter: &Easter{Days: -2}}, []string{"2026-04-03"}},
		{"Easter Sunday", 2026, Holiday{Easter: &Easter{}}, []string{"2026-04-05"}},
		{"Ascension", 2026, Holiday{Easter: &Easter{Days: 39}}, []string{"2026-05-14"}},
		{"Orthodox Easter Monday", 2026, Holiday{Easter: &Easter{Days: 1, Orthodox: true}}, []string{"2026-04-13"}},
		{"Thanksgiving", 2026, Holiday{Nth: &Nth{4, time.Thursday, time.November}}, []string{"2026-11-26"}},
		{"last Monday of May", 2026, Holiday{Nth: &Nth{-1, time.Monday, time.May}}, []string{"2026-05-25"}},
		{"Germany", 2026, Holiday{Public: "DE"}, []string{
			"2026-01-01", "2026-04-03", "2026-04-06", "2026-05-01", "2026-05-14", "2026-05-25", "2026-10-03", "2026-12-25", "2026-12-26",
		}},
		{"United States, with Independence Day on a Saturday", 2026, Holiday{Public: "US"}, []string{
			"2026-01-01", "2026-01-19", "2026-02-16", "2026-05-25", "2026-06-19", "2026-07-03", "2026-07-04",
			"2026-09-07", "2026-10-12", "2026-11-11", "2026-11-26", "2026-12-25",
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, closedIn(t, row.year, row.rule)); diff != "" {
				t.Errorf("closed days (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryPublicSetClosesNewYearsDay(t *testing.T) {
	if len(PublicSets()) < 60 {
		t.Errorf("only %d sets", len(PublicSets()))
	}
	for _, code := range PublicSets() {
		days := closedIn(t, 2026, Holiday{Public: code})
		if len(days) < 6 || len(days) > 25 || days[0] != "2026-01-01" {
			t.Errorf("%s: %v", code, days)
		}
	}
}

func TestHolidaysDoNotDependOnTheMachinesZone(t *testing.T) {
	saoPaulo, err := time.LoadLocation("America/Sao_Paulo")
	if err != nil {
		t.Fatal(err)
	}
	if got := time.Date(2018, time.November, 4, 0, 0, 0, 0, saoPaulo).Day(); got == 4 {
		t.Skip("midnight exists; the reason for the rule below is gone")
	}
	if cal.DefaultLoc != time.UTC {
		t.Errorf("the library makes its dates in %s, want UTC", cal.DefaultLoc)
	}
}
