package ledger

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/dictionary"
)

// Words are what answers have in common: sentences of a policy, and the bytes
// between them. Answers are kept without them, which is a tenth of their size. The
// words themselves are kept once, for as long as the ledger lives.
type Words struct {
	id   string // hash of the text
	text []byte
	dict *dictionary.Dictionary
}

const (
	wordsKey = "amends:words"
	// wordsAgain is how often words in use are put into the store again: it may have
	// lost them in a failover, or have been restored from an old copy.
	wordsAgain = time.Minute
	// mostAnswer bounds what a damaged record can make the service allocate.
	mostAnswer = 1 << 20
)

// wordbook has the words that this process knows.
type wordbook struct {
	byName sync.Map // what they were asked for by → *usedWords
	byID   sync.Map // → *Words
}

type usedWords struct {
	now     atomic.Pointer[keptWords]
	keeping sync.Mutex
}

type keptWords struct {
	words *Words
	until time.Time // then they are put into the store again
}

// Words gives those of the samples, which are asked for once for each name. They
// are nil, and answers are kept whole, until the store has them. It waits for
// nobody else who asks.
func (l *Ledger) Words(ctx context.Context, name string, samples func() []byte) *Words {
	entry, ok := l.words.byName.Load(name)
	if !ok {
		entry, _ = l.words.byName.LoadOrStore(name, &usedWords{})
	}
	used := entry.(*usedWords)
	kept := used.now.Load()
	if kept == nil {
		kept = &keptWords{}
	}
	if l.clock().Before(kept.until) || !used.keeping.TryLock() {
		return kept.words
	}
	defer used.keeping.Unlock()
	FallBehind(ctx)
	w := kept.words
	if w == nil {
		w = l.newWords(samples())
	}
	if w == nil || l.keepWords(ctx, w) != nil {
		w = kept.words // the shard of the words may be lost: others must not wait for it time and again
	}
	used.now.Store(&keptWords{w, l.clock().Add(wordsAgain)})
	return w
}

// newWords is nil when there is nothing to learn from.
func (l *Ledger) newWords(text []byte) *Words {
	dict := dictionary.New(text)
	if dict == nil {
		return nil
	}
	id := l.keys.digest("words", text)
	return &Words{string(id[:requestSize]), text, dict}
}

// keepWords puts words into the store, and makes sure of them as of a commit:
// answers that were confirmed must not lose their words in a failover.
func (l *Ledger) keepWords(ctx context.Context, w *Words) error {
	l.words.byID.Store(w.id, w)
	ctx, cancel := context.WithTimeout(ctx, ioTimeout)
	defer cancel()
	return l.keep(ctx, wordsKey, w.id, w.text)
}

var errWords = errors.New("the words of a stored answer are not in the store")

// wordsOf finds the words of an answer that is stored. It is errWords when the
// store does not have them.
func (l *Ledger) wordsOf(ctx context.Context, id string) (*Words, error) {
	if w, ok := l.words.byID.Load(id); ok {
		return w.(*Words), nil
	}
	FallBehind(ctx)
	text, err := l.client.HGet(ctx, wordsKey, id).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, errWords
	}
	if err != nil {
		return nil, naming(wordsKey, err)
	}
	w := l.newWords(text)
	if w == nil || w.id != id {
		return nil, errWords
	}
	l.words.byID.Store(id, w)
	return w, nil
}

// shorten takes the words out of an answer; nil when that would not make it shorter.
func (w *Words) shorten(answer []byte) []byte {
	if w == nil || len(answer) > mostAnswer {
		return nil
	}
	const mostly = 5 // times shorter
	short := w.dict.Shorten(make([]byte, 0, len(answer)/mostly), answer)
	if len(short)+len(w.id) >= len(answer) {
		return nil
	}
	return short
}

// restore puts them in again.
func (w *Words) restore(short []byte) ([]byte, error) {
	return w.dict.Restore(short, mostAnswer)
}
