package watch

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strconv"

	"github.com/makeamends/amends/internal/ledger"
)

// ErrToken says that a string is no token of that tenant.
var ErrToken = errors.New("malformed resume token")

// Place is where a watch begins. The zero Place is now.
type Place struct {
	tenant string
	epoch  string
	marks  []ledger.Mark // nil: now
}

// sealLength is of what Config.Hash gives.
const sealLength = 22

// seal makes tokens that nobody can make up and that fit one tenant alone.
type sealer struct {
	hash func(domain, value string) string
}

// token names a place: the epoch, then of every bucket that has had events how
// many buckets were left out before it, its mark and the sum of that. With 256
// buckets that is 2 KiB at most in years of events, and twice as much while
// nothing can be read.
func (s sealer) token(tenant, epoch string, marks []ledger.Mark) string {
	body := make([]byte, 0, 16+8*len(marks))
	body = append(body, byte(len(epoch)))
	body = append(body, epoch...)
	left := uint64(0)
	for _, m := range marks {
		if m.Next == 0 {
			left++
			continue
		}
		body = binary.AppendUvarint(body, left)
		body = binary.AppendUvarint(body, m.Next)
		body = binary.BigEndian.AppendUint16(body, m.Sum)
		left = 0
	}
	text := make([]byte, base64.RawURLEncoding.EncodedLen(len(body)), base64.RawURLEncoding.EncodedLen(len(body))+sealLength)
	base64.RawURLEncoding.Encode(text, body)
	return string(append(text, s.seal(tenant, string(text))...))
}

// seal has a zero byte between its parts, which no tenant has.
func (s sealer) seal(tenant, text string) string { return s.hash("watch", tenant+"\x00"+text) }

// open reads a token for a store of that many buckets.
func (s sealer) open(tenant, token string, buckets int) (Place, error) {
	if token == "" {
		return Place{tenant: tenant}, nil
	}
	at := len(token) - sealLength
	if at < 0 || !hmac.Equal([]byte(token[at:]), []byte(s.seal(tenant, token[:at]))) {
		return Place{}, ErrToken
	}
	body, err := base64.RawURLEncoding.DecodeString(token[:at])
	if err != nil || len(body) == 0 || len(body) < 1+int(body[0]) {
		return Place{}, ErrToken
	}
	p := Place{tenant: tenant, epoch: string(body[1 : 1+body[0]]), marks: make([]ledger.Mark, buckets)}
	return p, p.read(body[1+body[0]:])
}

// read takes the marks in.
func (p *Place) read(body []byte) error {
	for at := uint64(0); len(body) > 0; at++ {
		left, n := binary.Uvarint(body)
		if n <= 0 {
			return ErrToken
		}
		next, m := binary.Uvarint(body[n:])
		if m <= 0 || len(body) < n+m+2 || left >= uint64(len(p.marks)) || at+left >= uint64(len(p.marks)) {
			return ErrToken
		}
		at += left
		p.marks[at] = ledger.Mark{Next: next, Sum: binary.BigEndian.Uint16(body[n+m:])}
		body = body[n+m+2:]
	}
	return nil
}

// eventID is the same for an event whoever reads it and however often.
func (s sealer) eventID(epoch string, e *ledger.Event) string {
	after := e.After()
	place := make([]byte, 0, 48)
	place = append(append(place, epoch...), '.')
	place = append(strconv.AppendInt(place, int64(e.Bucket), 10), '.')
	place = append(strconv.AppendUint(place, e.Number, 10), '.')
	return s.hash("event", string(strconv.AppendUint(place, uint64(after.Sum), 10)))
}
