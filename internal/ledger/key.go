package ledger

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
	"sync"
)

// Key names a customer without telling who it is: 22 characters that need no
// quoting anywhere, made from tenant and customer id with the secret.
type Key string

// ErrCaseID says that a string is no case id.
var ErrCaseID = errors.New("malformed case id")

const (
	hashSize  = 16 // bytes of a keyed hash that are kept: no two of 10^15 customers meet
	keyLength = 22 // of a hash in base64url
)

var printable = base64.RawURLEncoding.Strict()

// keyer makes keyed hashes. HMAC states are kept, since making one costs more
// than using it.
type keyer struct{ pool sync.Pool }

// mac is one such state, with room for what it hashes and for what comes of it.
type mac struct {
	hash.Hash
	text []byte
}

func newKeyer(secret []byte) *keyer {
	secret = append([]byte(nil), secret...)
	return &keyer{pool: sync.Pool{New: func() any { return &mac{Hash: hmac.New(sha256.New, secret)} }}}
}

// sum hashes the parts with a zero byte between them.
func (k *keyer) sum(parts ...string) [hashSize]byte {
	m := k.pool.Get().(*mac)
	defer k.pool.Put(m)
	m.text = m.text[:0]
	for i, p := range parts {
		if i > 0 {
			m.text = append(m.text, 0)
		}
		m.text = append(m.text, p...)
	}
	return m.of(nil)
}

// digest hashes bytes under a domain of its own.
func (k *keyer) digest(domain string, b []byte) [hashSize]byte {
	m := k.pool.Get().(*mac)
	defer k.pool.Put(m)
	m.text = append(append(append(m.text[:0], 0), domain...), 0)
	return m.of(b)
}

// of hashes the text and the bytes behind it.
func (m *mac) of(rest []byte) (out [hashSize]byte) {
	m.Reset()
	m.Write(m.text)
	m.Write(rest)
	m.text = m.Sum(m.text[:0])
	copy(out[:], m.text)
	return out
}

// Key names the customer of that tenant.
func (l *Ledger) Key(tenant, customer string) Key {
	sum := l.keys.sum(tenant, customer)
	return Key(printable.EncodeToString(sum[:]))
}

// Hash stands for a value, such as an order id, that must be recognised but not
// stored. The same value has another hash in every domain ("order",
// "incident"). It is 22 characters long.
func (l *Ledger) Hash(domain, value string) string {
	// The leading empty part keeps these apart from customer keys, whose
	// tenant is never empty.
	sum := l.keys.sum("", domain, value)
	return printable.EncodeToString(sum[:])
}

// CaseID names a case by its customer and its number. The letter in front keeps
// it from looking like an option on a command line.
func CaseID(k Key, number int64) string {
	return casePrefix + string(k) + "." + strconv.FormatInt(number, 10)
}

const casePrefix = "c"

// ParseCaseID takes a case id apart. It accepts only what CaseID writes; every
// other string gives ErrCaseID.
func ParseCaseID(id string) (Key, int64, error) {
	key, digits, ok := strings.Cut(id, ".")
	key, prefixed := strings.CutPrefix(key, casePrefix)
	if !ok || !prefixed || !validKey(key) {
		return "", 0, ErrCaseID
	}
	number, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || number < 1 || CaseID(Key(key), number) != id {
		return "", 0, ErrCaseID
	}
	return Key(key), number, nil
}

func validKey(key string) bool {
	_, err := decodeKey(Key(key))
	return err == nil
}

func decodeKey(key Key) (out [hashSize]byte, err error) {
	if len(key) != keyLength {
		return out, fmt.Errorf("customer key of %d characters instead of %d", len(key), keyLength)
	}
	_, err = printable.Decode(out[:], []byte(key))
	return out, err
}

// customerPrefix is in front of the customer's key. With it the name of a hash is
// 30 bytes, which is what Redis can keep in 32.
const customerPrefix = "c"

// names are the Redis keys that one commit touches.
type names struct {
	key                        Key
	customer, due, events, tag string
}

// buckets are the names of each bucket, made once.
type buckets []names

func newBuckets(n int) buckets {
	out := make(buckets, n)
	for i := range out {
		tag := fmt.Sprintf("{b%03d}:", i) // the braces: see the package
		out[i] = names{customer: tag + customerPrefix, due: tag + "due", events: tag + "ev", tag: tag}
	}
	return out
}

// of gives the names for a customer; a malformed key is refused.
func (b buckets) of(key Key) (names, error) {
	i, err := b.index(key)
	if err != nil {
		return names{}, err
	}
	n := b[i]
	n.key = key
	n.customer += string(key)
	return n, nil
}

// index tells which bucket a customer falls into.
func (b buckets) index(key Key) (int, error) {
	raw, err := decodeKey(key)
	if err != nil {
		return 0, err
	}
	return int(binary.BigEndian.Uint16(raw[:])) % len(b), nil
}

// open names the index of a tenant's open cases in this bucket.
func (n names) open(tenant string) string { return n.tag + "open:" + tenant }

// erased names the record of the events that were erased from the stream.
func (n names) erased() string { return n.tag + "erased" }

// wait names the key that is written for WAIT to have something to wait for.
func (n names) wait() string { return n.tag + "w" }
