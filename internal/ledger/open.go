package ledger

import (
	"strconv"
	"time"

	"github.com/makeamends/amends/internal/recovery"
)

// never is the score of a case that has no deadline to come: the end of the
// year 9999, after every deadline.
const never = 253_402_300_799_999

// openScore is the place of a case in the index of open cases: its next
// deadline in whole milliseconds, rounded up as in the due index.
func openScore(k *recovery.Case) int64 {
	at := k.NextDeadline()
	if at.IsZero() {
		return never
	}
	return min(ceilMS(at), never)
}

// ceilMS gives milliseconds since 1970, rounded up.
func ceilMS(t time.Time) int64 { return t.Add(time.Millisecond - 1).UnixMilli() }

// openMember names a case in the index of open cases.
func openMember(key Key, number int64) string {
	return string(key) + "." + strconv.FormatInt(number, 10)
}

// parseOpenMember takes such a name apart.
func parseOpenMember(member string) (Key, int64, error) { return ParseCaseID(casePrefix + member) }

// list brings the index of open cases up to date: what is new in it or stands
// elsewhere now, and what leaves it. A judge may have written into the cases
// that it was given, so one with a fresh transition counts as moved whatever it
// looked like before.
func (c *change) list(w Write, was []recovery.Case, now recovery.Customer) {
	for i := range now.Open {
		k := &now.Open[i]
		at := openScore(k)
		before := recovery.Numbered(was, k.Number)
		if w.Reindex || len(k.Fresh) > 0 || before == nil || openScore(before) != at {
			c.listed = append(c.listed, at, openMember(w.Key, k.Number))
		}
	}
	unlist := func(number int64) {
		if recovery.Numbered(now.Open, number) == nil {
			c.unlisted = append(c.unlisted, openMember(w.Key, number))
		}
	}
	for i := range now.Closed {
		unlist(now.Closed[i].Number)
	}
	for i := range was {
		if recovery.Numbered(now.Closed, was[i].Number) == nil {
			unlist(was[i].Number)
		}
	}
}
