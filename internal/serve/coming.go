package serve

import "time"

// comingTime is how long a call counts at least that was announced and does not
// come: its caller has sent the headers alone, or has left.
const comingTime = 200 * time.Millisecond

// coming counts the calls that were let come and have not entered yet. Their
// goroutines wait for a processor, so under load they are many. It counts by
// spans of comingTime and forgets those that are over, since nobody says when a
// call never enters.
type coming struct {
	span  uint64 // this one; it begins with 1
	since time.Time
	calls [2][classes]int // of this span and the one before
}

// announced is the mark of a call that was let come; zero: it was not.
type announced struct {
	span  uint64
	class class
}

// as reports whether the call was let come as one that matters no more than one
// of that class.
func (m announced) as(c class) bool { return m.span > 0 && m.class >= c }

func (n *coming) turn(now time.Time) {
	if now.Sub(n.since) > comingTime {
		n.since = now
		n.span++
		n.calls[n.span%2] = [classes]int{}
	}
}

func (n *coming) add(c class, now time.Time) announced {
	n.turn(now)
	n.calls[n.span%2][c]++
	return announced{n.span, c}
}

func (n *coming) remove(m announced) {
	if m.span > 0 && n.span-m.span < 2 {
		n.calls[m.span%2][m.class]--
	}
}

// upTo counts those of the class and of the classes before it.
func (n *coming) upTo(c class) (sum int) {
	for i := range c + 1 {
		sum += n.calls[0][i] + n.calls[1][i]
	}
	return sum
}
