package ledger

import (
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/recovery"
	ledgerv1 "github.com/makeamends/amends/proto/recovery/ledger/v1"
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
	return marshal.Marshal(ledgerv1.Event_builder{
		Key:        string(at.key),
		Tenant:     at.tenant,
		CaseNumber: k.Number,
		At:         nanos(t.At),
		Change:     uint32(t.Change),
		Milestone:  uint32(t.Milestone),
		Offer:      t.Offer,
		State:      uint32(k.State),
		Revision:   k.Revision,
		Band:       uint32(k.Assessment.Risk.Band),
		RespondBy:  nanos(k.RespondBy()),
		RecordedAt: nanos(at.now),

		TraceParent: at.trace,
	}.Build())
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
	var m ledgerv1.Event
	if err := proto.Unmarshal([]byte(body), &m); err != nil {
		return Event{}, brokenEvent(bucket, entry.ID, err)
	}
	return Event{
		Bucket: bucket,
		Number: number,
		Key:    Key(m.GetKey()),
		Tenant: m.GetTenant(),
		Case:   m.GetCaseNumber(),
		Transition: recovery.Transition{
			At:        moment(m.GetAt()),
			Change:    recovery.Change(m.GetChange()),
			Milestone: recovery.Milestone(m.GetMilestone()),
			Offer:     m.GetOffer(),
		},
		State:      recovery.State(m.GetState()),
		Revision:   m.GetRevision(),
		Band:       recovery.Band(m.GetBand()),
		RespondBy:  moment(m.GetRespondBy()),
		RecordedAt: moment(m.GetRecordedAt()),

		TraceParent: m.GetTraceParent(),
		sum:         eventSum(body),
	}, nil
}

func brokenEvent(bucket int, id string, err error) error {
	return &fault{kind: ErrBroken, cause: fmt.Errorf("event %s of bucket %d: %w", id, bucket, err)}
}
