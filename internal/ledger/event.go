package ledger

import (
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/recovery"
)

// Event is one transition of one case, as it was when it happened.
type Event struct {
	Bucket     int    // whose stream it stands in
	Number     uint64 // in that stream, from 0
	Key        Key
	Tenant     string
	Case       int64 // number of the case within the customer
	Transition recovery.Transition
	State      recovery.State // after the transition; so are the rest
	Revision   int64
	Band       recovery.Band // if nobody answers
	RespondBy  time.Time     // zero: nobody had been promised an answer
	RecordedAt time.Time
	// TraceParent is that of the call, or of the sweep, that made the change;
	// empty if that was not traced.
	TraceParent string
	sum         uint16 // of the bytes that it is stored as
}

// Mark says how far the events of one bucket were read. The zero Mark stands
// before the first event.
type Mark struct {
	// Next is the number of the event to come.
	Next uint64
	// Sum is of the event before that one: a store that lost events and then
	// gave their numbers to others is found out by it.
	Sum uint16
}

// After is the mark behind the event.
func (e *Event) After() Mark { return Mark{Next: e.Number + 1, Sum: e.sum} }

// origin is what the events of one change have in common.
type origin struct {
	key    Key
	tenant string
	now    time.Time
	trace  string
}

// encodeEvent makes the stream entry of one transition of a case; the case is
// the one after the change.
func encodeEvent(at origin, k *recovery.Case, t recovery.Transition) ([]byte, error) {
	return written(&Event{
		Key:        at.key,
		Tenant:     at.tenant,
		Case:       k.Number,
		Transition: t,
		State:      k.State,
		Revision:   k.Revision,
		Band:       k.Assessment.Risk.Band,
		RespondBy:  k.RespondBy(),
		RecordedAt: at.now,

		TraceParent: at.trace,
	}, eventFields)
}

func eventFields(r *record, e *Event) {
	text(r, 1, &e.Key)
	text(r, 2, &e.Tenant)
	number(r, 3, &e.Case)
	r.moment(4, &e.Transition.At)
	number(r, 5, &e.Transition.Change)
	number(r, 6, &e.Transition.Milestone)
	number(r, 7, &e.State)
	number(r, 8, &e.Revision)
	number(r, 9, &e.Band)
	r.moment(10, &e.RespondBy)
	r.moment(11, &e.RecordedAt)
	number(r, 12, &e.Transition.Offer)
	text(r, 13, &e.TraceParent)
}

// eventPrefix begins the id of every entry: what follows is the event's number.
const eventPrefix = "1-"

func eventID(number uint64) string { return eventPrefix + strconv.FormatUint(number, 10) }

// eventNumber reads an id as eventID writes it.
func eventNumber(id string) (number uint64, ok bool) {
	digits, ok := strings.CutPrefix(id, eventPrefix)
	number, err := strconv.ParseUint(digits, 10, 64)
	return number, ok && err == nil
}

func eventSum(body string) uint16 { return uint16(crc32.ChecksumIEEE([]byte(body))) }

// decodeEvent reads an entry of a bucket's stream.
func decodeEvent(bucket int, entry redis.XMessage) (Event, error) {
	number, numbered := eventNumber(entry.ID)
	body, _ := entry.Values["e"].(string)
	if !numbered || body == "" {
		return Event{}, brokenEvent(bucket, entry.ID, errors.New("not written by the ledger"))
	}
	e, err := read(body, eventFields)
	if err != nil {
		return Event{}, brokenEvent(bucket, entry.ID, err)
	}
	e.Bucket, e.Number, e.sum = bucket, number, eventSum(body)
	return e, nil
}

func brokenEvent(bucket int, id string, err error) error {
	return &fault{kind: ErrBroken, cause: fmt.Errorf("event %s of bucket %d: %w", id, bucket, err)}
}
