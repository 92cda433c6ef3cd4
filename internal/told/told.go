// Package told remembers what the log has been told of trouble that lasts, so that
// it is told when trouble begins, when its reason changes, and now and then.
package told

import (
	"maps"
	"sync"
	"time"
)

// Every is how long a reason is not told again.
const Every = time.Minute

// most is how many reasons of one trouble are told within that time: a text that is
// another one each time must not fill the log.
const most = 10

// Log remembers of each trouble its reasons. The zero value has been told nothing.
type Log struct {
	mu      sync.Mutex
	trouble map[string]map[string]time.Time // when each reason was told
}

// News reports whether the log is to be told of trouble that has these reasons now.
func (l *Log) News(now time.Time, trouble string, reasons ...string) (news bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.trouble == nil {
		l.trouble = map[string]map[string]time.Time{}
	}
	known := l.trouble[trouble]
	if known == nil {
		known = map[string]time.Time{}
		l.trouble[trouble] = known
	}
	maps.DeleteFunc(known, func(_ string, at time.Time) bool { return now.Sub(at) >= Every })
	for _, reason := range reasons {
		if _, old := known[reason]; !old && len(known) < most {
			known[reason], news = now, true
		}
	}
	return news
}

// Over forgets trouble that has ended, and reports whether there was any.
func (l *Log) Over(trouble string) (was bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, was = l.trouble[trouble]
	delete(l.trouble, trouble)
	return was
}
