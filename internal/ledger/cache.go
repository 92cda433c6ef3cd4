package ledger

import (
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// DefaultCache is how many bytes of customers a process remembers unless Options
	// says otherwise.
	DefaultCache = 32 << 20
	// cacheTime is for how long a customer is remembered that nobody asks for;
	// one who was erased by another process is forgotten by then.
	cacheTime = time.Hour
	// entrySize is what an entry takes beside the texts in it.
	entrySize = 200
)

// cache remembers customers as this process read or wrote them last. It is never
// the truth: whatever is decided on it is committed only if its version stands.
// States are kept as they are stored, since a judge may write into what it is given.
type cache struct {
	mu      sync.Mutex
	room    int // bytes
	used    int
	entries *simplelru.LRU[Key, recollection]
}

// recollection is one customer as it was.
type recollection struct {
	token string
	body  string // field "s" of that version; no other state ever has its token
	at    time.Time
}

func (e recollection) size() int { return entrySize + len(e.token) + len(e.body) }

// newCache makes a cache of that many bytes; 0: the default, less: nothing is remembered.
func newCache(room int) *cache {
	if room == 0 {
		room = DefaultCache
	}
	c := &cache{room: room}
	// Bytes bound it, not a number, which is never reached.
	c.entries, _ = simplelru.NewLRU(math.MaxInt, func(_ Key, e recollection) { c.used -= e.size() })
	return c
}

// get gives a customer as it was; the token is empty when it is not known.
func (c *cache) get(key Key) (token, body string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, _ := c.entries.Get(key)
	return e.token, e.body
}

// put remembers a customer, and forgets whom there is no room for, or who was not
// asked for in a long time.
func (c *cache) put(key Key, token, body string) {
	e := recollection{token, body, time.Now()}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.Remove(key)
	c.entries.Add(key, e)
	c.used += e.size()
	for {
		_, oldest, ok := c.entries.GetOldest()
		if !ok || c.used <= c.room && e.at.Sub(oldest.at) < cacheTime {
			return
		}
		c.entries.RemoveOldest()
	}
}

// drop forgets a customer.
func (c *cache) drop(key Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries.Remove(key)
}

// Remembered is how many customers the process remembers just now, and the bytes
// that they take.
func (l *Ledger) Remembered() (customers, bytes int) {
	l.cache.mu.Lock()
	defer l.cache.mu.Unlock()
	return l.cache.entries.Len(), l.cache.used
}
