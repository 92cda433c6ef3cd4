package serve

import (
	"container/list"
	"context"
	"time"
)

// comingTime is how long a call counts that was let come and has not entered:
// mostly its goroutine waits for a processor, but its caller may also have sent
// nothing but headers.
const comingTime = 20 * time.Millisecond

// coming is the calls that were let come and have not entered yet.
type coming [classes]list.List // of *announced, oldest first

// announced is a call that was let come.
type announced struct {
	ctx   context.Context
	class class
	at    time.Time
	in    *list.Element // of coming; nil: it has entered, or is not waited for any more
}

func (n *coming) add(ctx context.Context, c class, now time.Time) *announced {
	m := &announced{ctx: ctx, class: c, at: now}
	m.in = n[c].PushBack(m)
	return m
}

func (n *coming) remove(m *announced) {
	if m != nil && m.in != nil {
		n[m.class].Remove(m.in)
		m.in = nil
	}
}

// forget lets go of those who have left or are not to be waited for.
func (n *coming) forget(now time.Time) {
	for c := range n {
		var next *list.Element
		for e := n[c].Front(); e != nil; e = next {
			next = e.Next()
			if m := e.Value.(*announced); m.ctx.Err() != nil || now.Sub(m.at) > comingTime {
				n.remove(m)
			}
		}
	}
}

// as reports whether the call was let come as one that matters no more than one
// of that class.
func (m *announced) as(c class) bool { return m != nil && m.class >= c }

// upTo counts those of the class and of the classes before it.
func (n *coming) upTo(c class) (sum int) {
	for i := range c + 1 {
		sum += n[i].Len()
	}
	return sum
}
