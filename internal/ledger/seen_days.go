package ledger

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/makeamends/amends/internal/recovery"
)

// seenDays is for how many whole days an answer is kept after the day it was
// given on: one more than the age from which an event never pays by itself, so
// that the two meet with room for clocks that run ahead.
const seenDays = int32(recovery.MostStale/(24*time.Hour)) + 1

// listLength is how many requests a full list holds: few enough that carrying a
// list that is not full with every change costs nothing, and so many that the full
// ones take no room to speak of.
const listLength = 32

const (
	// mostRequests is how many requests of one customer are remembered, and so how
	// many are carried out within the days: far more than a person can bring about,
	// and as many as one program in a loop may cost Redis.
	mostRequests = 5000
	// moreSteps is how many steps of cases are remembered beyond that, so that
	// whatever is reported of customers, they can still be helped.
	moreSteps = 1000
)

// seenDay is the requests that were first seen on one day: what is to be removed
// when the day is over. Only the list that is not full yet is read and written
// with the customer, so a change costs the same however many came before.
type seenDay struct {
	day    int32
	hashes []byte // of their ids, one after the other; the newest, less than a full list
	lists  int32  // full ones, each in a field of its own
}

// admit refuses the fresh requests for which there is no room. Time has none: what
// it does to a case is always done.
func (u *update) admit(at *loaded) {
	now := u.ledger.opts.Now()
	kept, _ := forget(at.state.seen, day(now))
	room := mostRequests
	if u.write.Case > 0 {
		room += moreSteps
	}
	for _, d := range kept {
		room -= int(d.lists)*listLength + len(d.hashes)/requestSize
	}
	for _, d := range at.state.erased {
		if !forgotten(d.day, day(now)) { // erasing makes no room: it would push out what is refused
			room -= len(d.hashes) / requestSize
		}
	}
	room = max(0, room)
	if len(u.fresh) <= room {
		return
	}
	full := &LimitError{RetryAfter: time.Minute}
	if len(kept) > 0 {
		full.RetryAfter = end(kept[0].day).Sub(now)
	}
	for _, i := range u.fresh[room:] {
		u.results[i] = Result{Err: full}
	}
	u.fresh = u.fresh[:room]
}

// remember forgets the requests of the days that are over and adds the hashes of
// those that are answered now.
func (c *change) remember(days []seenDay, today int32, hashes []byte) []seenDay {
	kept, gone := forget(days, today)
	for _, d := range gone {
		for n := range d.lists {
			c.lists = append(c.lists, listField(d.day, n))
		}
		for hash := range slices.Chunk(d.hashes, requestSize) {
			c.drops = append(c.drops, requestField(hash))
		}
	}
	if len(hashes) == 0 {
		return kept
	}
	i, ok := slices.BinarySearchFunc(kept, today, func(d seenDay, day int32) int { return cmp.Compare(d.day, day) })
	if !ok { // anywhere: the clock may have stepped back
		kept = slices.Insert(kept, i, seenDay{day: today})
	}
	d := &kept[i]
	d.hashes = slices.Concat(d.hashes, hashes)
	for ; len(d.hashes) >= listLength*requestSize; d.lists++ {
		c.pairs = append(c.pairs, listField(today, d.lists), d.hashes[:listLength*requestSize])
		d.hashes = d.hashes[listLength*requestSize:]
	}
	return kept
}

// seenOn reports whether a request was carried out on that day.
func seenOn(days []seenDay, day int32) bool {
	return slices.ContainsFunc(days, func(d seenDay) bool { return d.day == day })
}

// forget splits the days into those whose requests are remembered and those that
// are over.
func forget(days []seenDay, today int32) (kept, gone []seenDay) {
	if !slices.ContainsFunc(days, func(d seenDay) bool { return forgotten(d.day, today) }) {
		return days, nil
	}
	for _, d := range days {
		if forgotten(d.day, today) {
			gone = append(gone, d)
		} else {
			kept = append(kept, d)
		}
	}
	return kept, gone
}

// forgotten tells whether answers of that day are no longer kept.
func forgotten(day, today int32) bool { return day < today-seenDays }

// end is when answers of that day are no longer kept.
func end(day int32) time.Time {
	return time.Unix(int64(day+seenDays+1)*24*60*60, 0)
}

// day numbers the UTC days.
func day(t time.Time) int32 {
	const seconds = 24 * 60 * 60
	n := t.Unix() / seconds
	if t.Unix()%seconds < 0 {
		n--
	}
	return int32(n)
}

// listField is where a full list of a day is kept.
func listField(day, n int32) string {
	return "d:" + strconv.Itoa(int(day)) + "." + strconv.Itoa(int(n))
}

// hasAnswered tells whether a request is among the newest of a day, which are
// carried with the customer. Others may have been answered as well.
func (s *state) hasAnswered(r request) bool {
	for i := range s.seen {
		for hash := range slices.Chunk(s.seen[i].hashes, requestSize) {
			if string(hash) == r.hash() {
				return true
			}
		}
	}
	return false
}
