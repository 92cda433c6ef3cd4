package watch

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strconv"

	"github.com/makeamends/amends/internal/ledger"
)

// ErrToken says that a string can be no token.
var ErrToken = errors.New("malformed resume token")

// Place is where a watch begins. The zero Place is now.
type Place struct {
	tenant  string
	epoch   string
	marks   []ledger.Mark // nil: now
	unknown bool          // of another tenant, or of a store with another secret: nobody here can tell
}

// sealLength is of what Config.Hash gives.
const sealLength = 22

// sealer makes tokens that nobody can make up or read and that fit one tenant alone.
type sealer struct {
	hash  func(domain, value string) string
	block cipher.Block // encrypts them
}

func newSealer(hash func(domain, value string) string) sealer {
	key := sha256.Sum256([]byte(hash("watch key", "")))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	return sealer{hash, block}
}

const (
	saltLength  = 8     // of what makes every token another
	epochLength = 11    // as the ledger names a store
	markLength  = 8 + 2 // of one mark in a token
)

// token names a place: the epoch, then the mark of every bucket. It tells the numbers
// of events of all tenants, so it is encrypted, as long whatever they are (with 256
// buckets some 3,500 characters), and another one each time: two that are equal would
// say that nothing has happened between them.
func (s sealer) token(tenant, epoch string, marks []ledger.Mark) string {
	body := make([]byte, saltLength, saltLength+1+len(epoch)+markLength*len(marks))
	_, _ = rand.Read(body) // never fails
	body = append(body, byte(len(epoch)))
	body = append(body, epoch...)
	for _, m := range marks {
		body = binary.BigEndian.AppendUint64(body, m.Next)
		body = binary.BigEndian.AppendUint16(body, m.Sum)
	}
	return s.close(tenant, body)
}

// close encrypts what a token says, and puts the seal behind it.
func (s sealer) close(tenant string, body []byte) string {
	seal := s.seal(tenant, body)
	s.mask(body, seal)
	return base64.RawURLEncoding.EncodeToString(body) + seal
}

// seal is a keyed hash of what a token says in clear. It has a zero byte between its
// parts, which no tenant has.
func (s sealer) seal(tenant string, body []byte) string {
	return s.hash("watch", tenant+"\x00"+string(body))
}

// mask encrypts, and decrypts, with the seal for the initialization vector (SIV mode).
// Tokens that differ have different ones, however many there are, which random ones
// for one key would not.
func (s sealer) mask(body []byte, seal string) {
	iv := sha256.Sum256([]byte(seal))
	cipher.NewCTR(s.block, iv[:aes.BlockSize]).XORKeyStream(body, body)
}

// open reads a token for a store of that many buckets. What has the form of a token
// and cannot be read is a place that is unknown.
func (s sealer) open(tenant, token string, buckets int) (Place, error) {
	if token == "" {
		return Place{tenant: tenant}, nil
	}
	at := len(token) - sealLength
	if at < 0 {
		return Place{}, ErrToken
	}
	body, err := base64.RawURLEncoding.Strict().DecodeString(token[:at])
	if err != nil || len(body) < saltLength+1+epochLength || (len(body)-saltLength-1-epochLength)%markLength != 0 {
		return Place{}, ErrToken
	}
	s.mask(body, token[at:])
	if !hmac.Equal([]byte(token[at:]), []byte(s.seal(tenant, body))) {
		return Place{tenant: tenant, unknown: true}, nil
	}
	length, rest := int(body[saltLength]), body[saltLength+1:]
	if len(rest) != length+markLength*buckets {
		return Place{tenant: tenant, unknown: true}, nil
	}
	epoch, rest := rest[:length], rest[length:]
	p := Place{tenant: tenant, epoch: string(epoch), marks: make([]ledger.Mark, buckets)}
	for i := range p.marks {
		p.marks[i] = ledger.Mark{Next: binary.BigEndian.Uint64(rest), Sum: binary.BigEndian.Uint16(rest[8:])}
		rest = rest[markLength:]
	}
	return p, nil
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
