package ledger

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"

	ledgerv1 "github.com/makeamends/amends/proto/recovery/ledger/v1"
)

// What is kept of a request is as short as its use allows, since it is what there
// is most of.
const (
	// requestSize bytes of the keyed hash of an id tell the requests of one customer
	// apart, of which there are some thousands at most.
	requestSize = 8
	// fingerprintSize bytes tell the content of a request from another's under the
	// same id.
	fingerprintSize = 6
	// nonceSize bytes tell a call from those others that ask for the same.
	nonceSize = 4
)

// request is a Request as the store knows it.
type request struct {
	field       string // "r:" and the hash of the id
	fingerprint [fingerprintSize]byte
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
		sum, content := l.keys.sum("", "request", r.ID), l.keys.digest("payload", r.Payload)
		out[i] = request{
			field:       requestField(sum[:requestSize]),
			fingerprint: [fingerprintSize]byte(content[:]),
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

// requestField is where the answer to a request is kept.
func requestField(hash []byte) string { return "r:" + string(hash) }

// hash is what the lists hold of the request.
func (r request) hash() string { return r.field[2:] }

// record makes the stored answer.
func (r request) record(nonce, answer []byte) ([]byte, error) {
	return marshal.Marshal(ledgerv1.Seen_builder{
		Fingerprint: r.fingerprint[:],
		Nonce:       nonce[:nonceSize],
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
	return Result{Answer: m.GetAnswer(), Replayed: !bytes.Equal(m.GetNonce(), nonce[:nonceSize])}, nil
}
