package main

import (
	"fmt"
	"slices"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/svg"
)

// Where things stand. The states stand below each other; arrows that skip one
// run in lanes beside them: forward on the right, back on the left.
const (
	pageWidth  = 900
	boxLeft    = 225
	boxRight   = 650
	boxGap     = 64 // between two states
	firstTop   = 70
	headHeight = 32
	lineHeight = 18
	lineRunes  = 62 // of the small type, that fit into a box
	labelSkip  = 16 // from one line of a label to the next
)

// route is the way of an arrow. Without a lane it goes straight from box to box.
type route struct {
	from, to   recovery.State
	byTime     bool
	at         int // of a straight one: pixels right of the middle
	lane       int // pixels beside the boxes: to the right, or to the left if negative
	exit, into int // pixels below the top of the boxes; into 0: joins the arrow of its lane
}

// routes are drawn by hand, so that no two arrows run over each other but those
// that end in one.
var routes = []route{
	{from: recovery.Open, to: recovery.Acknowledged},
	{from: recovery.Acknowledged, to: recovery.Offered, at: 20},
	{from: recovery.Offered, to: recovery.Acknowledged, at: -20},
	{from: recovery.Resolved, to: recovery.FollowedUp},

	{from: recovery.Open, to: recovery.Offered, lane: 112, exit: 74, into: 22},
	{from: recovery.Open, to: recovery.Resolved, lane: 152, exit: 48, into: 48},
	{from: recovery.Acknowledged, to: recovery.Resolved, lane: 152, exit: 66},
	{from: recovery.Offered, to: recovery.Resolved, lane: 152, exit: 92},
	{from: recovery.Open, to: recovery.Resolved, byTime: true, lane: 192, exit: 22, into: 22},
	{from: recovery.Acknowledged, to: recovery.Resolved, byTime: true, lane: 192, exit: 36},
	{from: recovery.Offered, to: recovery.Resolved, byTime: true, lane: 192, exit: 62},

	{from: recovery.Resolved, to: recovery.Open, lane: -118, exit: 22, into: 72},
	{from: recovery.Resolved, to: recovery.Open, byTime: true, lane: -150, exit: 64, into: 47},
	{from: recovery.FollowedUp, to: recovery.Open, lane: -182, exit: 22, into: 22},
}

// diagram is the picture under way.
type diagram struct {
	svg.Picture
	tops [recovery.FollowedUp + 2]int // of the boxes by state, and below the last
}

// life draws the life of a case from the table of its moves.
func life() ([]byte, error) {
	d := &diagram{}
	moves := recovery.Moves()
	d.stand(moves)
	d.begin()
	for i := range routes {
		taken := func(m recovery.Move) bool { return routes[i].serves(m) }
		if labels := stepsOf(moves, taken); len(labels) > 0 {
			d.arrow(routes[i], labels)
		}
		moves = slices.DeleteFunc(moves, taken)
	}
	for state := recovery.Open; state <= recovery.FollowedUp; state++ {
		d.box(state, recovery.Moves())
	}
	for _, m := range moves {
		if m.From != m.To {
			return nil, fmt.Errorf("no way is drawn for %s from %s to %s", m.Step, m.From, m.To)
		}
	}
	d.end()
	return []byte(d.String()), nil
}

// serves reports whether a move goes this way.
func (r route) serves(m recovery.Move) bool {
	return m.From == r.from && m.To == r.to && byTime(m.Step) == r.byTime
}

// byTime reports whether nobody takes a step: it happens.
func byTime(s recovery.Step) bool { return !s.Asked() && s != recovery.StepReport }

func stepsOf(moves []recovery.Move, taken func(recovery.Move) bool) (names []string) {
	for _, m := range moves {
		if taken(m) {
			names = append(names, m.Step.String())
		}
	}
	return names
}

// kept gives the steps that leave a state as it is, in lines that fit.
func kept(moves []recovery.Move, state recovery.State, time bool) []string {
	return wrap(stepsOf(moves, func(m recovery.Move) bool {
		return m.From == state && m.To == state && byTime(m.Step) == time
	}))
}

// wrap sets words into lines, separated by dots.
func wrap(words []string) (lines []string) {
	for _, w := range words {
		if n := len(lines); n > 0 && len(lines[n-1])+len(w)+3 <= lineRunes {
			lines[n-1] += " · " + w
		} else {
			lines = append(lines, w)
		}
	}
	return lines
}

// stand finds the place of each box: as high as what is written in it.
func (d *diagram) stand(moves []recovery.Move) {
	top := firstTop
	for state := recovery.Open; state <= recovery.FollowedUp; state++ {
		d.tops[state] = top
		lines := len(kept(moves, state, false)) + len(kept(moves, state, true))
		top += headHeight + lines*lineHeight + 14 + boxGap
	}
	d.tops[recovery.FollowedUp+1] = top
}

func (d *diagram) bottom(s recovery.State) int { return d.tops[s+1] - boxGap }

// box draws a state, with what leaves it as it is in small type.
func (d *diagram) box(state recovery.State, moves []recovery.Move) {
	top := d.tops[state]
	d.Print(`<rect class="box" x="%d" y="%d" width="%d" height="%d" rx="9"/>`,
		boxLeft, top, boxRight-boxLeft, d.bottom(state)-top)
	y := top + 25
	d.Text("state", "middle", (boxLeft+boxRight)/2, y, state.String())
	for _, time := range []bool{false, true} {
		for _, line := range kept(moves, state, time) {
			y += lineHeight
			d.Text(class("stay", time), "middle", (boxLeft+boxRight)/2, y, line)
		}
	}
}

// arrow draws one way, with its steps where it begins.
func (d *diagram) arrow(r route, labels []string) {
	if r.lane == 0 {
		d.straight(r, labels)
		return
	}
	edge, out, align := boxRight, 1, "start"
	if r.lane < 0 {
		edge, out, align = boxLeft, -1, "end"
	}
	d.labels(align, edge+out*9, d.tops[r.from]+r.exit-6, labels, r.byTime)
	if r.into == 0 {
		d.line(r.byTime, "M%d %dH%d", edge, d.tops[r.from]+r.exit, edge+r.lane)
		return
	}
	const bend = 10
	x, from, to := edge+r.lane, d.tops[r.from]+r.exit, d.tops[r.to]+r.into
	down := bend
	if to < from {
		down = -bend
	}
	d.path(r.byTime, "M%d %dH%dQ%d %d %d %dV%dQ%d %d %d %dH%d", edge, from, x-out*bend, x, from, x, from+down,
		to-down, x, to, x-out*bend, to, edge+out)
}

// straight draws a way between two boxes that follow each other.
func (d *diagram) straight(r route, labels []string) {
	x, from, to := (boxLeft+boxRight)/2+r.at, d.bottom(r.from), d.tops[r.to]-1
	if r.to < r.from {
		from, to = d.tops[r.from], d.bottom(r.to)+1
	}
	d.path(r.byTime, "M%d %dV%d", x, from, to)
	y := (from+to+10)/2 + labelSkip*(len(labels)-1)/2
	if r.at < 0 {
		d.labels("end", x-10, y, labels, r.byTime)
	} else {
		d.labels("start", x+10, y, labels, r.byTime)
	}
}

// labels writes the steps of an arrow below each other, the last at y.
func (d *diagram) labels(align string, x, y int, lines []string, time bool) {
	for i, line := range lines {
		d.Text(class("label", time), align, x, y-labelSkip*(len(lines)-1-i), line)
	}
}
