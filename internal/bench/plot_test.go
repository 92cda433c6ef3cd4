package bench

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestScales(t *testing.T) {
	linear := scale{from: 0, to: 100}
	linear.widen(50)
	linear.widen(200)
	linear.settle()
	if linear.low != 0 || linear.at(linear.high) != 100 || !slices.Equal(linear.ticks(), []float64{0, 50, 100, 150, 200}) {
		t.Errorf("%+v, ticks %v", linear, linear.ticks())
	}
	log := scale{log: true, low: math.Inf(1), from: 100, to: 0}
	for _, v := range []float64{0, 1, 100} { // 0 has no place
		log.widen(v)
	}
	log.settle()
	if log.at(10) != 50 || !slices.Equal(log.ticks(), []float64{1, 2, 5, 10, 20, 50, 100}) {
		t.Errorf("%+v at %v, ticks %v", log, log.at(10), log.ticks())
	}
}

// A plot is a picture also of nothing, and of one point.
func TestPlotsAreDrawn(t *testing.T) {
	for _, points := range [][][2]float64{nil, {{10, 3}}, {{10, 3}, {20, 4}}} {
		p := Plot{Title: "a < b", X: Axis{Log: true}, Y: Axis{Log: true}, Series: []Series{{Name: "one", Points: points}}}
		text := string(p.SVG())
		if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
			t.Errorf("of %v:\n%s", points, text)
		}
		for in := xml.NewDecoder(strings.NewReader(text)); ; {
			if _, err := in.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("of %v: %v\n%s", points, err, text)
			}
		}
	}
}

// What is not what it seems is drawn hollow, and the legend says what that means; a plot
// without such points has no such entry.
func TestHollowPointsAreExplained(t *testing.T) {
	p := Plot{Title: "load", Hollow: "more than 1 % refused", Series: []Series{
		{Name: "one", Points: [][2]float64{{10, 3}, {20, 4}, {30, 5}}, Hollow: []int{1, 2}},
		{Name: "two", Points: [][2]float64{{10, 1}, {20, 1}, {30, 1}}},
	}}
	text := string(p.SVG())
	if n := strings.Count(text, "<circle"); n != 3 || !strings.Contains(text, p.Hollow) { // one of them in the legend
		t.Errorf("%d marks:\n%s", n, text)
	}
	p.Series[0].Hollow = nil
	if text := string(p.SVG()); strings.Contains(text, "<circle") || strings.Contains(text, p.Hollow) {
		t.Errorf("marks of nothing:\n%s", text)
	}
}

// Where more than a few calls were refused, the times are of those that were not.
func TestTimesOfWhoWasNotRefusedAreMarked(t *testing.T) {
	var s Series
	for _, refused := range []int64{0, 10, 11, 500} {
		o := newOutcome()
		o.done, o.refused = 1000-refused, refused
		s.add(100, o, 99)
	}
	if !slices.Equal(s.Hollow, []int{2, 3}) || len(s.Points) != 4 {
		t.Errorf("%+v", s)
	}
}

// Names of any length end before the edge: a character of the label takes up to 8 of its 13.5 pixels.
func TestNamesOfLinesAreNotCut(t *testing.T) {
	for _, name := range []string{"one", strings.Repeat("µ", 40)} {
		text := string(Plot{Series: []Series{{Name: name}}}.SVG())
		var size struct {
			Width int `xml:"width,attr"`
		}
		if err := xml.Unmarshal([]byte(text), &size); err != nil {
			t.Fatal(err)
		}
		if need := 704 + 8*len([]rune(name)); size.Width < max(need, 820) {
			t.Errorf("%q: the picture is %d wide, and the name ends at %d", name, size.Width, need)
		}
	}
}
