package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

// answered is the decoded form of a hash field "r:": what was answered to a request.
type answered struct {
	fingerprint, nonce []byte
	answer             []byte // whole, or
	words              []byte // id of those without which
	short              []byte // it is kept
}

func answeredFields(r *record, s *answered) {
	r.bytes(2, &s.fingerprint)
	r.bytes(3, &s.nonce)
	r.bytes(4, &s.answer)
	r.bytes(6, &s.words)
	r.bytes(7, &s.short)
}

// record makes the stored answer.
func (r request) record(nonce, answer []byte, words *Words) ([]byte, error) {
	s := answered{fingerprint: r.fingerprint[:], nonce: nonce[:nonceSize], answer: answer}
	if short := words.shorten(answer); short != nil {
		s.answer, s.short, s.words = nil, short, []byte(words.id)
	}
	return written(&s, answeredFields)
}

// replay answers a request from its record. What cannot be read is the error of this
// request alone: it was carried out, and must not be once more.
func (l *Ledger) replay(ctx context.Context, r request, record string, nonce []byte) (Result, error) {
	s, err := read(record, answeredFields)
	if err != nil {
		return Result{Err: r.unreadable(err)}, nil
	}
	if !bytes.Equal(s.fingerprint, r.fingerprint[:]) {
		return Result{Err: ErrReused}, nil
	}
	if len(s.words) > 0 { // of another format, it has no short form
		words, err := l.wordsOf(ctx, string(s.words))
		if err != nil && !errors.Is(err, errWords) && classify(err) != classBroken {
			return Result{}, err // the store is away, and may come back
		}
		if err == nil {
			s.answer, err = words.restore(s.short)
		}
		if err != nil {
			return Result{Err: r.unreadable(err)}, nil
		}
	}
	// Our own nonce: the commit succeeded although its reply was lost.
	return Result{Answer: s.answer, Replayed: !bytes.Equal(s.nonce, nonce[:nonceSize])}, nil
}

func (r request) unreadable(err error) error {
	return unreadable(fmt.Sprintf("stored answer r:%x", r.hash()), err)
}
