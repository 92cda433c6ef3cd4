package ledger

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/makeamends/amends/internal/recovery"
)

// packedAnswers: what is kept without its words is answered byte for byte, by a
// process that never heard of them too, and never as anything else.
func packedAnswers(t *testing.T, open opener) {
	answer := append(bytes.Repeat([]byte("what a policy says in every answer. "), 40), "and what is new"...)
	at := newClock()
	l := open(t)
	l.clock = at.Now
	text := bytes.Repeat([]byte("what a policy says in every answer. "), 50)
	words := func(l *Ledger) *Words {
		return l.Words(t.Context(), "policy", func() []byte { return text })
	}
	judge := func(c recovery.Customer, _ []int) (Judgement, error) {
		return Judgement{Customer: c, Answers: [][]byte{answer}, Words: words(l)}, nil
	}
	w := one(l, "packed", "a")
	if r := mustUpdate(t, l, w, judge); !bytes.Equal(r.Answer, answer) || r.Replayed {
		t.Errorf("first: %+v", r)
	}
	if size, _ := size(t, l, w.Key); size > 200 {
		t.Errorf("%d bytes are kept", size)
	}
	replay := func(l *Ledger) (Result, error) {
		results, err := l.Update(t.Context(), w, judge)
		if err != nil {
			return Result{}, err
		}
		return results[0], nil
	}
	forget := func(l *Ledger) { l.words.byID.Clear() }
	for range 2 {
		if r, err := replay(l); err != nil || !bytes.Equal(r.Answer, answer) || !r.Replayed {
			t.Errorf("again: %+v, %v", r, err)
		}
		forget(l) // as a process that starts
	}

	admin := asAdmin(t, l).client
	kept := admin.HGetAll(t.Context(), wordsKey).Val()
	admin.Del(t.Context(), wordsKey)
	forget(l)
	if _, err := replay(l); !errors.Is(err, ErrDamaged) {
		t.Errorf("without the words: %v", err)
	}
	for id := range kept {
		admin.HSet(t.Context(), wordsKey, id, "other words, long enough to be some")
	}
	if _, err := replay(l); !errors.Is(err, ErrDamaged) {
		t.Errorf("with other words: %v", err)
	}
	admin.Del(t.Context(), wordsKey)
	words(l)
	if admin.Exists(t.Context(), wordsKey).Val() != 0 {
		t.Error("words are kept with every change")
	}
	at.add(wordsAgain)
	words(l)
	if r, err := replay(l); err != nil || !bytes.Equal(r.Answer, answer) {
		t.Errorf("when they were kept again: %+v, %v", r, err)
	}
}

// Whoever cannot keep the words keeps the answer whole.
func TestAnswersWithoutWords(t *testing.T) {
	l := openAt(t, Embedded)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if w := l.Words(ctx, "policy", func() []byte { return make([]byte, 100) }); w != nil {
		t.Error("words that are not kept")
	}
	if w := l.Words(t.Context(), "nothing", func() []byte { return nil }); w != nil {
		t.Error("words of nothing")
	}
	long := bytes.Repeat([]byte("x"), mostPacked+1)
	some := l.Words(t.Context(), "x", func() []byte { return long[:1000] })
	for _, answer := range [][]byte{nil, []byte("short"), long} {
		if some.pack(answer) != nil {
			t.Errorf("%d bytes are packed", len(answer))
		}
	}
	if _, err := some.unpack(some.dict.Encode(nil, long)); err == nil {
		t.Error("more is unpacked than was ever packed")
	}
}
