package ledger

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/makeamends/amends/internal/recovery"
)

// tombField holds the tombstone: alone in the hash of a customer who was
// erased, until the customer comes back or the tombstone is over.
const tombField = "t"

// remains is what is kept of a customer who is erased: as much as keeps the caps
// and the abuse guard from being evaded by being forgotten, and an id of an
// erased case from naming another one. Everything personal is left out.
func remains(c recovery.Customer, window time.Duration, now time.Time) recovery.Customer {
	return recovery.Customer{
		Cases:  c.Cases,
		Orders: c.Orders,
		Claims: c.Claims,
		Grants: foldGrants(c.Grants, window, now),
	}
}

// foldGrants books what still counts as one grant a currency, under the time of
// the latest, so that none of it is forgotten early. It belongs to case 0, which
// no case ever is: every case that is opened later counts it.
func foldGrants(grants []recovery.Grant, window time.Duration, now time.Time) []recovery.Grant {
	sums := map[string]recovery.Grant{}
	for _, g := range grants {
		if now.Sub(g.At) >= window {
			continue
		}
		sum := sums[g.Currency]
		sum.Currency = g.Currency
		sum.Minor += g.Minor
		sum.Units += g.Units
		if g.At.After(sum.At) {
			sum.At = g.At
		}
		sums[g.Currency] = sum
	}
	var folded []recovery.Grant
	for _, currency := range slices.Sorted(maps.Keys(sums)) {
		folded = append(folded, sums[currency])
	}
	return folded
}

// bare reports whether there is nothing to keep.
func bare(c recovery.Customer) bool {
	return c.Cases == 0 && c.Orders == 0 && c.Claims == 0 && len(c.Grants) == 0
}

const (
	// mostErased is how many requests are remembered beyond their customer, the
	// newest: all of one life, which are 47 KiB.
	mostErased = mostRequests + moreSteps
	// erasedTime is when the last of them is forgotten, at the latest.
	erasedTime = time.Duration(seenDays+1) * 24 * time.Hour
)

// erasedDay is requests first seen on one day whose answers were erased. Their
// hashes tell a repetition, which would be paid a second time, from what is new.
type erasedDay struct {
	day    int32
	hashes []byte // of the ids, one after the other
}

// stillErased leaves out what is as old as answers ever get, and what is too much.
func stillErased(days []erasedDay, today int32) (kept []erasedDay) {
	room := mostErased * requestSize
	for _, d := range slices.Backward(days) {
		if forgotten(d.day, today) || room == 0 {
			continue
		}
		d.hashes = d.hashes[max(0, len(d.hashes)-room):]
		room -= len(d.hashes)
		kept = append(kept, d)
	}
	slices.Reverse(kept)
	return kept
}

// addErased puts requests of further days in.
func addErased(days []erasedDay, more ...erasedDay) []erasedDay {
	all := slices.Clone(days)
	for _, d := range more {
		d.hashes = d.hashes[:len(d.hashes)/requestSize*requestSize]
		if i := slices.IndexFunc(all, func(e erasedDay) bool { return e.day == d.day }); i >= 0 {
			all[i].hashes = slices.Concat(all[i].hashes, d.hashes)
		} else if len(d.hashes) > 0 {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b erasedDay) int { return cmp.Compare(a.day, b.day) })
	return all
}

// hasErased tells whether a request was carried out in a life that was erased.
func (s *state) hasErased(r request, today int32) bool {
	hash := []byte(r.hash())
	for _, d := range s.erased {
		for list := range slices.Chunk(d.hashes, requestSize) {
			if !forgotten(d.day, today) && bytes.Equal(list, hash) {
				return true
			}
		}
	}
	return false
}
