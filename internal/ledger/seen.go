package ledger

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/recovery"
	ledgerv1 "github.com/makeamends/amends/proto/recovery/ledger/v1"
)

// seenDays is for how many whole days an answer is kept after the day it was
// given on: one more than the age from which an event never pays by itself, so
// that the two meet with room for clocks that run ahead.
const seenDays = int32(recovery.MostStale/(24*time.Hour)) + 1

// request is a Request as the store knows it.
type request struct {
	field       string // "r:" and the hash of the id
	fingerprint [hashSize]byte
	twin        int // index of an earlier request with the same id; -1: none
}

// requests hashes what a caller chose.
func (l *Ledger) requests(list []Request) []request {
	out := make([]request, len(list))
	var first map[string]int
	if len(list) > 1 {
		first = make(map[string]int, len(list))
	}
	for i, r := range list {
		sum := l.keys.sum("", "request", r.ID)
		out[i] = request{
			field:       "r:" + string(sum[:]),
			fingerprint: l.keys.digest("payload", r.Payload),
			twin:        -1,
		}
		if first == nil {
			continue
		}
		if j, ok := first[out[i].field]; ok {
			out[i].twin = j
		} else {
			first[out[i].field] = i
		}
	}
	return out
}

// hash is what the list of a day holds of the request.
func (r request) hash() string { return r.field[2:] }

// record makes the stored answer.
func (r request) record(at time.Time, nonce, answer []byte) ([]byte, error) {
	return marshal.Marshal(ledgerv1.Seen_builder{
		At:          nanos(at),
		Fingerprint: r.fingerprint[:],
		Nonce:       nonce,
		Answer:      answer,
	}.Build())
}

// replay answers a request from its record.
func (r request) replay(record string, nonce []byte) (Result, error) {
	var m ledgerv1.Seen
	if err := proto.Unmarshal([]byte(record), &m); err != nil {
		return Result{}, damaged(fmt.Sprintf("stored answer r:%x", r.hash()), err)
	}
	if !bytes.Equal(m.GetFingerprint(), r.fingerprint[:]) {
		return Result{Err: ErrReused}, nil
	}
	// Our own nonce: the commit succeeded although its reply was lost.
	return Result{Answer: m.GetAnswer(), Replayed: !bytes.Equal(m.GetNonce(), nonce)}, nil
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

// forgotten tells whether answers of that day are no longer kept.
func forgotten(day, today int32) bool { return day < today-seenDays }

// forget splits the days with stored answers into those that are kept and those
// that are over, and adds today when something is stored.
func forget(days []int32, today int32, add bool) (kept, over []int32) {
	for _, d := range days {
		if forgotten(d, today) {
			over = append(over, d)
		} else {
			kept = append(kept, d)
		}
	}
	if add && !slices.Contains(kept, today) {
		kept = append(kept, today)
		slices.Sort(kept) // the clock may have stepped back
	}
	return kept, over
}
