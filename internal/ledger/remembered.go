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

// seenDay is the requests that were first seen on one day: what is to be removed
// when the day is over. Only the list that is not full yet is read and written
// with the customer, so a change costs the same however many came before.
type seenDay struct {
	day    int32
	hashes []byte // of their ids, one after the other; the newest, less than a full list
	lists  int32  // full ones, each in a field of its own
}

// remember forgets the requests of the days that are over and adds the hashes of
// those that are answered now.
func (c *change) remember(days []seenDay, today int32, hashes []byte) []seenDay {
	kept, over := forget(days, today)
	for _, d := range over {
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

// forget splits the days into those whose requests are remembered and those that
// are over.
func forget(days []seenDay, today int32) (kept, over []seenDay) {
	for _, d := range days {
		if forgotten(d.day, today) {
			over = append(over, d)
		} else {
			kept = append(kept, d)
		}
	}
	return kept, over
}

// forgotten tells whether answers of that day are no longer kept.
func forgotten(day, today int32) bool { return day < today-seenDays }

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
