package ledger

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math"
	"sync"
	"time"
)

const (
	// DefaultCache is how many bytes of customers a process remembers unless Options
	// says otherwise.
	DefaultCache = 128 << 20
	// cacheTime is for how long a customer is remembered who does not change. One who
	// was erased by another process is not given any more by then.
	cacheTime = time.Hour
)

// cache remembers customers as this process read or wrote them last. It is never
// the truth: whatever is decided on it is committed only if its version stands.
// States are kept as they are stored, since a judge may write into what it is given.
//
// They stand in a ring, one behind the other in the order in which they were put
// there, and the next one takes the place of the oldest. The ring is no part of Go's
// heap: looking through a million customers, and finding that all of them live, would
// hold up calls at every collection of garbage, and let as much more of it pile up.
type cache struct {
	mu    sync.Mutex
	ring  []byte           // nil: nothing is remembered
	begin int64            // place of the oldest entry; places go on counting from round to round
	end   int64            // place of the entry to come
	index map[uint64]int64 // places by the hash of the key
	seed  maphash.Seed     // of the hashes
	held  int              // bytes of the entries in the index
	now   func() time.Time // of this machine
	since time.Time        // entries count their seconds from here
}

// An entry is its head, key, token and body, filled up to a multiple of the head's
// size, so that there is room for another head wherever one ends. One without a key is
// passed over.
const (
	headSize = 16 // its size, when it was put there (seconds), the lengths of key, token and all of its content
	outline  = 8  // the first two of these, which are left when it is wiped
	// mostShare of the ring is what one entry may take: nobody pushes out everybody else.
	mostShare = 8
	mostEntry = 16 << 20
)

// newCache makes a cache of that many bytes; 0: the default, less: nothing is remembered.
func newCache(room int) (*cache, error) {
	c := &cache{index: map[uint64]int64{}, seed: maphash.MakeSeed(), now: time.Now, since: time.Now()}
	if room == 0 {
		room = DefaultCache
	}
	room = room &^ (headSize - 1)
	if room <= 0 {
		return c, nil
	}
	var err error
	if c.ring, err = reserve(room); err != nil {
		return nil, fmt.Errorf("no %d MiB of memory for the customers to remember (--remember): %w", room>>20, err)
	}
	return c, nil
}

// Close gives the memory back. What comes later is not remembered.
func (c *cache) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ring) == 0 {
		return nil
	}
	ring := c.ring
	c.ring, c.index, c.begin, c.end, c.held = nil, nil, 0, 0, 0
	return release(ring)
}

// get gives a customer as it was; the token is empty when it is not known.
func (c *cache) get(key Key) (token, body string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.find(key, c.hash(key), c.age())
	if !ok {
		return "", ""
	}
	text := string(e.content[e.keyLen:]) // of both
	return text[:e.tokenLen], text[e.tokenLen:]
}

// put remembers a customer, and forgets those who stand where it goes.
func (c *cache) put(key Key, token, body string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	hash, now := c.hash(key), c.age()
	c.makeRoom(0, now) // those who are too old go in any case
	if e, ok := c.find(key, hash, now); ok && string(e.content[e.keyLen:][:e.tokenLen]) == token {
		return // as it was: who is only read pushes out nobody
	}
	c.forget(hash)
	size := (headSize + len(key) + len(token) + len(body) + headSize - 1) &^ (headSize - 1)
	if size > min(len(c.ring)/mostShare, mostEntry) || key == "" || len(key)|len(token) > math.MaxUint8 {
		return
	}
	if left := len(c.from(c.end)); left < size { // it goes to the beginning of the next round
		c.makeRoom(left, now)
		c.write(left, now, "", "", "")
	}
	c.makeRoom(size, now)
	c.index[hash] = c.end
	c.held += size
	c.write(size, now, key, token, body)
}

// drop forgets a customer.
func (c *cache) drop(key Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(c.hash(key))
}

// recollection is one customer as it stands in the ring.
type recollection struct {
	size     int    // of all of it, in bytes
	seconds  uint32 // when it was put there
	keyLen   int    // how much of the content is the key
	tokenLen int    // and, behind it, the token; the rest is the body
	content  []byte
}

// from is the ring from a place on, to its end.
func (c *cache) from(place int64) []byte { return c.ring[place%int64(len(c.ring)):] }

// at reads the entry of that place.
func (c *cache) at(place int64) recollection {
	b := c.from(place)
	e := recollection{
		size:     int(binary.LittleEndian.Uint32(b)),
		seconds:  binary.LittleEndian.Uint32(b[4:]),
		keyLen:   int(b[8]),
		tokenLen: int(b[9]),
	}
	e.content = b[headSize:][:binary.LittleEndian.Uint32(b[12:])]
	return e
}

// write puts an entry at the end. There must be room for it.
func (c *cache) write(size int, now time.Duration, key Key, token, body string) {
	b := c.from(c.end)
	binary.LittleEndian.PutUint32(b, uint32(size))
	binary.LittleEndian.PutUint32(b[4:], uint32(now/time.Second))
	b[8], b[9] = byte(len(key)), byte(len(token))
	binary.LittleEndian.PutUint32(b[12:], uint32(len(key)+len(token)+len(body)))
	b = b[headSize:]
	b = b[copy(b, key):]
	b = b[copy(b, token):]
	copy(b, body)
	c.end += int64(size)
}

// age of the cache.
func (c *cache) age() time.Duration { return c.now().Sub(c.since) }

func (e recollection) old(now time.Duration) bool {
	return now-time.Duration(e.seconds)*time.Second >= cacheTime
}

func (c *cache) hash(key Key) uint64 { return maphash.String(c.seed, string(key)) }

// find gives the entry of a customer that is not too old. Two keys may have one hash:
// then the other one is not known.
func (c *cache) find(key Key, hash uint64, now time.Duration) (recollection, bool) {
	place, ok := c.index[hash]
	if !ok {
		return recollection{}, false
	}
	e := c.at(place)
	return e, string(e.content[:e.keyLen]) == string(key) && !e.old(now)
}

// forget wipes the entry of a hash, if there is one; it stays to be passed over.
func (c *cache) forget(hash uint64) {
	place, ok := c.index[hash]
	if !ok {
		return
	}
	e := c.at(place)
	delete(c.index, hash)
	c.held -= e.size
	clear(c.from(place)[outline:e.size])
}

// makeRoom forgets whoever stands in the way of so many bytes more, and who is too old.
func (c *cache) makeRoom(size int, now time.Duration) {
	for c.begin < c.end {
		e := c.at(c.begin)
		if c.end+int64(size)-c.begin <= int64(len(c.ring)) && !e.old(now) {
			return
		}
		if e.keyLen > 0 {
			c.forget(c.hash(Key(e.content[:e.keyLen])))
		}
		c.begin += int64(e.size)
	}
}

// Remembered is how many customers the process remembers just now, and the bytes
// that they take.
func (l *Ledger) Remembered() (customers, bytes int) {
	l.cache.mu.Lock()
	defer l.cache.mu.Unlock()
	return len(l.cache.index), l.cache.held
}
