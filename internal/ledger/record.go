package ledger

import (
	"errors"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/makeamends/amends/internal/wire"
)

// record is a stored record that is being written or read. Each kind of record
// has one list of its fields, which serves both ways: a line of it writes its
// field unless that is empty, or takes the field if it is the next one to read.
// What comes of it is what the messages of proto/recovery/ledger/v1 say, byte for
// byte as their own code would write it (tests compare the two).
type record struct {
	wire.Writer // of what is written

	brief bool  // the moments of a case are told from its beginning; see moment.go
	begin int64 // that moment; 0: not in a case

	reading bool
	err     error
	text    string // what is read, and a copy of it
	in      []byte
	at      int // where the value of the next field begins
	end     int // of the message at hand
	next    protowire.Number
	kind    protowire.Type // of the next field; with next 0 there is none
}

// written makes the record of a value.
func written[T any](value *T, fields func(*record, *T)) ([]byte, error) {
	r := record{Writer: wire.New()}
	fields(&r, value)
	return r.Take()
}

// writtenText makes it as a text, in the brief form if so asked.
func writtenText[T any](value *T, fields func(*record, *T), brief bool) (string, error) {
	r := record{Writer: wire.New(), brief: brief}
	if brief {
		r.Bytes = append(r.Bytes, briefMark...)
	}
	fields(&r, value)
	return r.TakeText()
}

// read gives the value of a record. Fields that a newer binary wrote are skipped.
func read[T any](text string, fields func(*record, *T)) (value T, err error) {
	err = readInto(&value, text, fields)
	return value, err
}

// readInto takes a record in.
func readInto[T any](value *T, text string, fields func(*record, *T)) error {
	text, brief := strings.CutPrefix(text, briefMark)
	r := record{brief: brief, reading: true, text: text, in: []byte(text), end: len(text)}
	readFields(&r, value, fields)
	return r.err
}

// readFields reads a message to its end. Fields come in the order of the list, so
// once through it is enough; what is in another place is found when the list is
// gone through again, and what is in none of its lines is skipped.
func readFields[T any](r *record, value *T, fields func(*record, *T)) {
	for r.advance(); r.next != 0; {
		before := r.at
		fields(r, value)
		if r.at == before {
			r.skip()
		}
	}
}

// Reading.

var errNumber = errors.New("a field has a number that none can have")

// advance finds out which field comes next.
func (r *record) advance() {
	r.next = 0
	if r.err != nil || r.at == r.end {
		return
	}
	number, kind, n := protowire.ConsumeTag(r.in[r.at:r.end])
	switch {
	case !r.took(n):
	case !number.IsValid():
		r.fail(errNumber)
	default:
		r.next, r.kind = number, kind
	}
}

// took moves on behind n bytes; protowire says with a negative n that they are
// damaged.
func (r *record) took(n int) bool {
	if n < 0 {
		r.fail(protowire.ParseError(n))
		return false
	}
	r.at += n
	return true
}

func (r *record) fail(err error) {
	r.err, r.next, r.at = err, 0, r.end
}

func (r *record) skip() {
	if r.took(protowire.ConsumeFieldValue(r.next, r.kind, r.in[r.at:r.end])) {
		r.advance()
	}
}

// comes reports whether that is the next field.
func (r *record) comes(n protowire.Number, kind protowire.Type) bool {
	return r.next == n && r.kind == kind
}

func (r *record) varint() uint64 {
	v, n := protowire.ConsumeVarint(r.in[r.at:r.end])
	r.took(n)
	return v
}

func (r *record) fixed64() uint64 {
	v, n := protowire.ConsumeFixed64(r.in[r.at:r.end])
	r.took(n)
	return v
}

// span gives the bounds of a value that says how long it is.
func (r *record) span() (from, to int) {
	v, n := protowire.ConsumeBytes(r.in[r.at:r.end])
	r.took(n)
	return r.at - len(v), r.at
}

// within reads what lies between the bounds of the next value.
func (r *record) within(all func()) {
	from, to := r.span()
	end := r.end
	r.at, r.end = from, to
	all()
	r.end = end
	r.advance()
}

// run counts how many fields like the next one follow each other, that one
// included, so that a list is made once.
func (r *record) run() int {
	rest := r.in[r.at:r.end]
	for count := 1; ; count++ {
		n := protowire.ConsumeFieldValue(r.next, r.kind, rest)
		if n < 0 {
			return count
		}
		number, kind, m := protowire.ConsumeTag(rest[n:])
		if m < 0 || number != r.next || kind != r.kind {
			return count
		}
		rest = rest[n+m:]
	}
}

// The kinds of field, each for one line of a list.

// number is an integer or a code.
func number[T ~uint8 | ~uint32 | ~int32 | ~int64](r *record, n protowire.Number, v *T) {
	if !r.reading {
		r.Number(n, uint64(*v))
	} else if r.comes(n, protowire.VarintType) {
		*v = T(r.varint())
		r.advance()
	}
}

func (r *record) flag(n protowire.Number, v *bool) {
	if !r.reading {
		r.Flag(n, *v)
	} else if r.comes(n, protowire.VarintType) {
		*v = protowire.DecodeBool(r.varint())
		r.advance()
	}
}

// bits are a set.
func bits[T ~uint64](r *record, n protowire.Number, v *T) {
	if !r.reading {
		r.Fixed64(n, uint64(*v))
	} else if r.comes(n, protowire.Fixed64Type) {
		*v = T(r.fixed64())
		r.advance()
	}
}

func (r *record) float(n protowire.Number, v *float64) {
	if !r.reading {
		r.Float(n, *v)
	} else if r.comes(n, protowire.Fixed64Type) {
		*v = math.Float64frombits(r.fixed64())
		r.advance()
	}
}

// stated is a float that may be stated or not.
func (r *record) stated(n protowire.Number, v **float64) {
	switch {
	case !r.reading && *v != nil:
		r.Stated(n, math.Float64bits(**v))
	case r.reading && r.comes(n, protowire.Fixed64Type):
		*v = new(math.Float64frombits(r.fixed64()))
		r.advance()
	}
}

func text[T ~string](r *record, n protowire.Number, v *T) {
	if !r.reading {
		r.Text(n, string(*v))
	} else if r.comes(n, protowire.BytesType) {
		*v = T(r.string())
		r.advance()
	}
}

func (r *record) texts(n protowire.Number, v *[]string) {
	if !r.reading {
		for _, s := range *v {
			r.Entry(n, s)
		}
	}
	for r.comes(n, protowire.BytesType) {
		*v = append(*v, r.string())
		r.advance()
	}
}

func (r *record) bytes(n protowire.Number, v *[]byte) {
	if !r.reading {
		r.Blob(n, *v)
	} else if r.comes(n, protowire.BytesType) {
		from, to := r.span()
		*v = r.in[from:to:to]
		r.advance()
	}
}

// numbers are packed into one value.
func numbers[T ~uint8 | ~int32 | ~int64](r *record, n protowire.Number, v *[]T) {
	if r.reading {
		packed(r, n, protowire.VarintType, v, func() T { return T(r.varint()) })
		return
	}
	if len(*v) > 0 {
		start := r.Open(n)
		for _, one := range *v {
			r.Bytes = protowire.AppendVarint(r.Bytes, uint64(one))
		}
		r.Close(start)
	}
}

// packed reads a list of simple values, packed or each in a field of its own.
func packed[T any](r *record, n protowire.Number, kind protowire.Type, v *[]T, one func() T) {
	for {
		switch {
		case r.comes(n, protowire.BytesType):
			r.within(func() {
				*v = slices.Grow(*v, r.count(kind))
				for r.at < r.end && r.err == nil {
					*v = append(*v, one())
				}
			})
		case r.comes(n, kind):
			*v = append(*v, one())
			r.advance()
		default:
			return
		}
	}
}

// count tells how many values are packed in what is at hand.
func (r *record) count(kind protowire.Type) (n int) {
	if kind == protowire.Fixed64Type {
		return (r.end - r.at) / 8
	}
	for _, b := range r.in[r.at:r.end] {
		if b < 0x80 { // the last one of its number
			n++
		}
	}
	return n
}

// part is a record within the record, which is written even if it is empty.
func part[T any](r *record, n protowire.Number, v *T, fields func(*record, *T)) {
	if !r.reading {
		start := r.Open(n)
		fields(r, v)
		r.Close(start)
	}
	for r.comes(n, protowire.BytesType) {
		r.within(func() { readFields(r, v, fields) })
	}
}

// parts are a list of records.
func parts[T any](r *record, n protowire.Number, v *[]T, fields func(*record, *T)) {
	if !r.reading {
		for i := range *v {
			part(r, n, &(*v)[i], fields)
		}
	}
	if r.comes(n, protowire.BytesType) {
		*v = slices.Grow(*v, r.run())
	}
	for r.comes(n, protowire.BytesType) {
		var one T
		*v = append(*v, one)
		r.within(func() { readFields(r, &(*v)[len(*v)-1], fields) })
	}
}

// string of the value that comes; it lives as long as the record.
func (r *record) string() string {
	from, to := r.span()
	s := r.text[from:to]
	if !utf8.ValidString(s) {
		r.fail(wire.ErrText)
	}
	return s
}
