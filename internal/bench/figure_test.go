package bench

import (
	"strings"
	"testing"
)

func TestRatiosAreOfRounds(t *testing.T) {
	a := NewFigure("a", "", "µs", 300, 100, 220)
	b := NewFigure("b", "", "µs", 100, 50, 100)
	r := NewRatio("a/b", "", a, b, Aim{Most: 2.5})
	// 3, 2 and 2.2: the median of the ratios, not the ratio of the medians.
	if r.Value != 2.2 || r.Low != 2 || r.High != 3 || r.Verdict() != "met" {
		t.Errorf("%+v, %s", r, r.Verdict())
	}
	if missed := NewRatio("b/a", "", b, a, Aim{Least: 0.5}); missed.Verdict() != "missed" {
		t.Errorf("%+v, %s", missed, missed.Verdict())
	}
	if none := NewRatio("", "", a, Figure{}, Aim{Least: 1}); none.Verdict() != "not measured" || none.String() != "-" {
		t.Errorf("%+v, %s", none, none.Verdict())
	}
	if free := NewRatio("", "", a, NewFigure("", "", "", 0, 10, 0), Aim{}); free.Value != 10 || free.Verdict() != "" {
		t.Errorf("%+v, %s", free, free.Verdict())
	}
}

// A verdict is of the number that stands beside it, whole numbers with all their digits.
func TestVerdictsAreOfWhatIsPrinted(t *testing.T) {
	for _, row := range []struct {
		value float64
		aim   Aim
		met   bool
	}{
		{1500, Aim{Most: 1500}, true},
		{1500.4, Aim{Most: 1500}, true}, // 1,500
		{1504, Aim{Most: 1500}, false},
		{1496, Aim{Least: 1500}, false},
		{2.504, Aim{Most: 2.5}, true}, // 2.50
		{2.51, Aim{Most: 2.5}, false},
		{0.4496, Aim{Least: 0.45}, true}, // 0.450
		{0.449, Aim{Least: 0.45}, false},
		{999.6, Aim{Least: 1000}, true}, // 1,000
		{1234567, Aim{Most: 1234566}, false},
	} {
		if row.aim.Met(row.value) != row.met {
			t.Errorf("%s, %s: met is %v", Number(row.value), row.aim, !row.met)
		}
	}
}

func TestNumbersAreShort(t *testing.T) {
	var got []string
	for _, n := range []float64{0, 0.012345, 0.5, 1.234, 12.34, 999.6, 1234.5, 1234567, -3.14159} {
		got = append(got, Number(n))
	}
	if want := "0 0.0123 0.500 1.23 12.3 1,000 1,234 1,234,567 -3.14"; strings.Join(got, " ") != want {
		t.Errorf("%s\nwant %s", strings.Join(got, " "), want)
	}
	if got := NewFigure("", "", "µs", 3, 1, 2).String(); got != "2 µs (1 to 3)" {
		t.Error(got)
	}
}

// Who reads the report in a terminal is told where a page stands, not given a link.
func TestNotesNameTheirPages(t *testing.T) {
	var out strings.Builder
	r := Report{Sections: []Section{{Title: "Size", Notes: []string{"[What a customer takes](size.md) says more."}}}}
	if err := r.Print(&out); err != nil || !strings.Contains(out.String(), "What a customer takes (docs/size.md) says more.") {
		t.Errorf("%v:\n%s", err, out.String())
	}
}
