package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
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
	unreadable := func(when string) {
		t.Helper()
		r, err := replay(l)
		if err != nil || !errors.Is(r.Err, ErrUnreadable) || !errors.Is(r.Err, ErrBroken) || !strings.Contains(Cause(r.Err).Error(), errWords.Error()) {
			t.Errorf("%s: %+v, %v", when, r, err)
		}
	}
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
	unreadable("without the words")
	// Others that are asked for together with it are carried out, once.
	both := w
	both.Requests = append(slices.Clone(w.Requests), Request{ID: "b"})
	for _, replayed := range []bool{false, true} {
		results, err := l.Update(t.Context(), both, count)
		if err != nil || !errors.Is(results[0].Err, ErrUnreadable) || results[1].Err != nil || string(results[1].Answer) != "order 1" || results[1].Replayed != replayed {
			t.Errorf("beside an answer without words: %+v, %v", results, err)
		}
	}
	for id := range kept {
		admin.HSet(t.Context(), wordsKey, id, "other words, long enough to be some")
	}
	unreadable("with other words")
	admin.Del(t.Context(), wordsKey)
	admin.Set(t.Context(), wordsKey, "", 0)
	if r, err := replay(l); err != nil || !errors.Is(r.Err, ErrUnreadable) || !strings.Contains(Cause(r.Err).Error(), wordsKey) {
		t.Errorf("with something else than words: %+v, %v", r, err)
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

	n := mustNames(t, l, w.Key)
	field := l.requests(w.Requests)[0].field
	record, err := read(admin.HGet(t.Context(), n.customer, field).Val(), answeredFields)
	if err != nil {
		t.Fatal(err)
	}
	record.short = nil
	other, err := written(&record, answeredFields)
	if err != nil {
		t.Fatal(err)
	}
	admin.HSet(t.Context(), n.customer, field, other)
	if r, err := replay(l); err != nil || !errors.Is(r.Err, ErrUnreadable) {
		t.Errorf("in another format: %+v, %v", r, err)
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
	long := bytes.Repeat([]byte("x"), mostAnswer+1)
	some := l.Words(t.Context(), "x", func() []byte { return long[:1000] })
	for _, answer := range [][]byte{nil, []byte("short"), long} {
		if some.shorten(answer) != nil {
			t.Errorf("%d bytes are shortened", len(answer))
		}
	}
	if _, err := some.restore(some.dict.Shorten(nil, long)); err == nil {
		t.Error("more is restored than was ever shortened")
	}
}

// Answers are kept without words only when those are on as many replicas as the
// answers must be: whoever is promoted can then read them.
func TestReplicasConfirmWords(t *testing.T) {
	t.Parallel()
	s := redistest.Sentinel(t)
	at := newClock()
	words := func(l *Ledger) *Words {
		return l.Words(t.Context(), "policy", func() []byte { return bytes.Repeat([]byte("what is said in every answer. "), 50) })
	}
	open := func() *Ledger {
		l := openAt(t, s.URL(), func(o *Options) { o.Wait = 1 })
		l.clock = at.Now
		return l
	}
	first, second := open(), open()
	s.Replica().Pause()
	if words(first) != nil {
		t.Error("words that no replica has are used")
	}
	if words(second) != nil {
		t.Error("words that another process has put there are used, and no replica has them")
	}
	s.Replica().Resume()
	var w *Words
	for end := time.Now().Add(20 * time.Second); w == nil; w = words(second) { // the replica has to catch up
		if time.Now().After(end) {
			t.Fatal("words that a replica has are not used")
		}
		at.add(wordsAgain)
	}
	if !s.Replica().Client().HExists(t.Context(), wordsKey, w.id).Val() {
		t.Error("confirmed, but not on the replica")
	}
}

// So are policies before they decide.
func TestReplicasConfirmPolicies(t *testing.T) {
	t.Parallel()
	s := redistest.Sentinel(t)
	l := openAt(t, s.URL(), func(o *Options) { o.Wait = 1 })
	keep := func() error { return l.ConfirmPolicy(t.Context(), "a", []byte("version: a")) }
	s.Replica().Pause()
	for range 2 { // it is there the second time, and no replica has it
		unavailable(t, keep(), true)
	}
	s.Replica().Resume()
	for end := time.Now().Add(20 * time.Second); keep() != nil; { // the replica has to catch up
		if time.Now().After(end) {
			t.Fatal("a policy that a replica has is not confirmed")
		}
	}
	if text := s.Replica().Client().HGet(t.Context(), policiesKey, "a").Val(); text != "version: a" {
		t.Errorf("confirmed, but the replica has %q", text)
	}
	if list, err := l.Policies(t.Context()); err != nil || fmt.Sprint(list) != "[a]" {
		t.Errorf("policies: %q, %v", list, err)
	}
}
