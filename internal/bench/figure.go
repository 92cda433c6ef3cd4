package bench

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// NewFigure is a figure of these rounds.
func NewFigure(name, about, unit string, rounds ...float64) Figure {
	f := Figure{Name: name, About: about, Unit: unit, Rounds: rounds}
	if len(rounds) > 0 {
		f.Value, f.Low, f.High = Median(rounds), slices.Min(rounds), slices.Max(rounds)
	}
	return f
}

// tabled marks figures that a table shows.
func tabled(figures ...Figure) []Figure {
	for i := range figures {
		figures[i].Tabled = true
	}
	return figures
}

// NewRatio divides a by b, round by round. Rounds that only one of them has, or
// in which b is nothing, do not count.
func NewRatio(name, about string, a, b Figure, aim Aim) Ratio {
	var rounds []float64
	for i := range min(len(a.Rounds), len(b.Rounds)) {
		if b.Rounds[i] != 0 {
			rounds = append(rounds, a.Rounds[i]/b.Rounds[i])
		}
	}
	return Ratio{NewFigure(name, about, "×", rounds...), aim}
}

// Median is the value in the middle, 0 of nothing.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.SortedFunc(slices.Values(values), cmp.Compare)
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// Met tells whether a value is as it should be: the one that is shown, so that
// nobody sees a number beside a verdict that it belies.
func (a Aim) Met(value float64) bool {
	value = shown(value)
	return (a.Most == 0 || value <= shown(a.Most)) && (a.Least == 0 || value >= shown(a.Least))
}

// shown is a value as Number writes it.
func shown(v float64) float64 {
	is, _ := strconv.ParseFloat(strings.ReplaceAll(Number(v), ",", ""), 64)
	return is
}

// String says what should be, empty if nothing.
func (a Aim) String() string {
	switch {
	case a.Most != 0:
		return "≤ " + Number(a.Most)
	case a.Least != 0:
		return "≥ " + Number(a.Least)
	default:
		return ""
	}
}

// Verdict says whether the aim is met, empty if there is none.
func (r Ratio) Verdict() string {
	switch {
	case r.Aim == Aim{}:
		return ""
	case len(r.Rounds) == 0:
		return "not measured"
	case r.Aim.Met(r.Value):
		return "met"
	default:
		return "missed"
	}
}

// String writes the value with its unit, and between what the rounds were.
func (f Figure) String() string {
	if len(f.Rounds) == 0 {
		return "-"
	}
	text := With(f.Value, f.Unit)
	if len(f.Rounds) > 1 {
		text += fmt.Sprintf(" (%s to %s)", Number(f.Low), Number(f.High))
	}
	return text
}

// With writes a number with its unit.
func With(v float64, unit string) string {
	if unit == "" {
		return Number(v)
	}
	return Number(v) + " " + unit
}

// Number writes three digits that count, more of whole numbers, and commas in
// large ones.
func Number(v float64) string {
	if v < 0 {
		return "-" + Number(-v)
	}
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	decimals := max(0, 2-int(math.Floor(math.Log10(v))))
	if v == math.Trunc(v) {
		decimals = 0
	}
	if v >= 999.5 {
		return thousands(strconv.FormatFloat(v, 'f', 0, 64))
	}
	return strconv.FormatFloat(v, 'f', min(decimals, 6), 64)
}

func thousands(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
