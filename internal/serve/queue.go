package serve

// queue is calls in the order in which they came to it. A call stands in one at a
// time and is its own link, so nothing is allocated for that.
type queue struct {
	first, last *place
	len         int
}

func (q *queue) add(p *place) {
	p.in, p.before, p.after = q, q.last, nil
	if q.last == nil {
		q.first = p
	} else {
		q.last.after = p
	}
	q.last = p
	q.len++
}

// leave takes the call out of the queue that it stands in, if there is one.
func (p *place) leave() {
	q := p.in
	if q == nil {
		return
	}
	if p.before == nil {
		q.first = p.after
	} else {
		p.before.after = p.after
	}
	if p.after == nil {
		q.last = p.before
	} else {
		p.after.before = p.before
	}
	p.in, p.before, p.after = nil, nil, nil
	q.len--
}

// byClass is a queue for each class.
type byClass [classes]queue

// upTo counts those of the class and of the classes before it.
func (b *byClass) upTo(c class) (sum int) {
	for i := range c + 1 {
		sum += b[i].len
	}
	return sum
}
