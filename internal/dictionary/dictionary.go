// Package dictionary shortens texts that say much the same as a text that both
// sides know. It looks for what they have in common there, and but a little in the
// text itself, so it does without the large table that a compressor has to clear for
// each text.
package dictionary

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
)

// Dictionary is a text that is known, with an index of it. It may be used by many
// at a time.
type Dictionary struct {
	text  []byte
	index []uint16 // by hash of gram bytes: behind where they are in the text; 0: nowhere
	shift int
}

const (
	// Most is how long a known text may be.
	Most = math.MaxUint16 - gram
	// gram is how many bytes must agree to be found anywhere in the text.
	gram = 6
	// next is how many must agree to be found where the dictionary is expected to go
	// on: behind what was found last and as many bytes as are new.
	next = 3
)

// New indexes a text of at least some bytes and at most [Most]; nil for any other.
func New(text []byte) *Dictionary {
	if len(text) < word || len(text) > Most {
		return nil
	}
	slots := bits.Len(uint(len(text)) / 2) // few: the index has to be fetched into the processor's cache for nearly every text
	d := &Dictionary{text: text, index: make([]uint16, 1<<slots), shift: 64 - slots}
	for at := 0; at+word <= len(text); at++ {
		if slot := d.slot(load(text, at)); d.index[slot] == 0 { // the first counts: what is said first is said most
			d.index[slot] = uint16(at + 1)
		}
	}
	return d
}

// word is how many bytes are looked at together.
const word = 8

func load(b []byte, at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }

// slot hashes the first gram bytes of a word.
func (d *Dictionary) slot(word uint64) uint64 { return hash(word) >> d.shift }

func hash(bytes uint64) uint64 {
	const prime = 0x9E3779B97F4A7C15
	return bytes << (8 * (word - gram)) * prime
}

// Shorten appends the short form of a text: its length and then, in turns, what is
// new in it and where it goes on as the dictionary or the text before does.
func (d *Dictionary) Shorten(to, text []byte) []byte {
	to = binary.AppendUvarint(to, uint64(len(text)))
	var own recent
	done, ahead := 0, 0 // up to where text is written; by how much the dictionary is expected to be ahead of it
	for at := 0; at+word <= len(text); at++ {
		here := load(text, at)
		known, from, isOwn := d.text, at+ahead, false
		if from+word > len(d.text) || !same(here, load(d.text, from), next) {
			from = int(d.index[d.slot(here)]) - 1
			if from < 0 || !same(here, load(d.text, from), gram) {
				known, isOwn = text[:at], true
				if from = own.swap(here, at); from < 0 || from > at-gram || !same(here, load(text, from), gram) {
					continue
				}
			}
		}
		for !isOwn && at > done && from > 0 && text[at-1] == known[from-1] {
			at, from = at-1, from-1
		}
		n := agree(text[at:], known[from:])
		to = fresh(to, text[done:at])
		if isOwn {
			to = binary.AppendUvarint(binary.AppendUvarint(to, uint64(n)<<1|1), uint64(at-from))
		} else {
			to = binary.AppendVarint(binary.AppendUvarint(to, uint64(n)<<1), int64(from-at-ahead))
			ahead = from - at
		}
		done = at + n
		at = done - 1
	}
	return fresh(to, text[done:])
}

// recent is where some of what is new in a text stands in it.
type recent [256]uint16 // behind it; 0: nowhere

// swap gives where something stood last that is likely to begin as this word does,
// and notes that the word is there; less than 0 for nowhere.
func (r *recent) swap(word uint64, at int) (last int) {
	place := &r[hash(word)>>56]
	last = int(*place) - 1
	*place = uint16(min(at+1, math.MaxUint16)) // whatever is further on is not found
	return last
}

// same reports whether two words begin with the same n bytes.
func same(a, b uint64, n int) bool { return (a^b)<<(8*(word-n)) == 0 }

func fresh(to, text []byte) []byte {
	return append(binary.AppendUvarint(to, uint64(len(text))), text...)
}

// agree tells how many bytes two texts begin with in common.
func agree(a, b []byte) (n int) {
	for n+word <= len(a) && n+word <= len(b) {
		if differ := load(a, n) ^ load(b, n); differ != 0 {
			return n + bits.TrailingZeros64(differ)/8
		}
		n += word
	}
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// errShort says that what is to be restored was not made by Shorten with the same
// dictionary.
var errShort = errors.New("no short form of a text with this dictionary")

// Restore gives the text of a short form, if it has at most that many bytes.
func (d *Dictionary) Restore(short []byte, most int) ([]byte, error) {
	r := reader{rest: short}
	length := r.length(uint64(most))
	text := make([]byte, 0, length)
	for ahead := 0; ; {
		text = append(text, r.bytes(r.length(length-uint64(len(text))))...)
		if len(r.rest) == 0 || r.failed {
			break
		}
		known, from, n := d.text, 0, r.length(math.MaxInt64)
		if n&1 != 0 {
			known, from = text, len(text)-int(r.length(uint64(len(text))))
		} else {
			from = len(text) + ahead + r.offset()
			ahead = from - len(text)
		}
		if n >>= 1; from < 0 || from > len(known) || n > uint64(len(known)-from) || n > length-uint64(len(text)) {
			return nil, errShort
		}
		text = append(text, known[from:from+int(n)]...)
	}
	if r.failed || uint64(len(text)) != length {
		return nil, errShort
	}
	return text, nil
}

// reader takes a short form apart.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) length(most uint64) uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > most {
		r.rest, r.failed = nil, true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// offset is at most some bits long, so that adding to it does not overflow.
func (r *reader) offset() int {
	v, n := binary.Varint(r.rest)
	if n <= 0 || v != int64(int32(v)) {
		r.rest, r.failed = nil, true
		return 0
	}
	r.rest = r.rest[n:]
	return int(v)
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.rest, r.failed = nil, true
		return nil
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}
