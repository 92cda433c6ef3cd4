package ledger

import (
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// A quarter of a case is moments, and most of them are its beginning, or whole seconds
// away from it. In the brief form (decision 0042) they are told so: where the schema
// has 64 bits, the record has a varint.

// briefMark is what a record in the brief form begins with. No message begins with a
// zero byte, so who does not know the form takes the record for damaged.
const briefMark = "\x00\x01"

// beginning is the moment of a case from which the others are told, itself as ever.
func (r *record) beginning(n protowire.Number, v *time.Time) {
	r.begin = 0
	r.moment(n, v)
	if r.brief {
		r.begin = nanos(*v)
	}
}

// moment is a time, as a count of nanoseconds.
func (r *record) moment(n protowire.Number, v *time.Time) {
	if !r.reading {
		if away, ok := r.away(*v); ok {
			r.Number(n, away)
		} else {
			r.Fixed64(n, uint64(nanos(*v)))
		}
		return
	}
	switch {
	case r.comes(n, protowire.Fixed64Type):
		*v = moment(int64(r.fixed64()))
		r.advance()
	case r.begin != 0 && r.comes(n, protowire.VarintType):
		*v = r.back(r.varint())
		r.advance()
	}
}

// moments are packed; in the brief form, unless one of them is too far away.
func (r *record) moments(n protowire.Number, v *[]time.Time) {
	absolute := func() time.Time { return moment(int64(r.fixed64())) }
	switch {
	case r.reading && r.begin == 0:
		packed(r, n, protowire.Fixed64Type, v, absolute)
	case r.reading:
		packed(r, n, protowire.VarintType, v, func() time.Time { return r.back(r.varint()) })
		for r.comes(n, protowire.Fixed64Type) {
			*v = append(*v, absolute())
			r.advance()
		}
	case len(*v) == 0:
	case r.begin == 0:
		start := r.Open(n)
		for _, one := range *v {
			r.Bytes = protowire.AppendFixed64(r.Bytes, uint64(nanos(one)))
		}
		r.Close(start)
	case slices.ContainsFunc(*v, func(one time.Time) bool { _, near := r.away(one); return !near }):
		for _, one := range *v {
			r.Stated(n, uint64(nanos(one)))
		}
	default:
		start := r.Open(n)
		for _, one := range *v {
			away, _ := r.away(one)
			r.Bytes = protowire.AppendVarint(r.Bytes, away)
		}
		r.Close(start)
	}
}

// away tells how far a moment is from the beginning: twice a zigzag number, and 1 more
// if that is seconds and not nanoseconds. It is not ok for no moment, without a
// beginning, and from 146 years on, where there is no room.
func (r *record) away(t time.Time) (away uint64, ok bool) {
	if r.begin == 0 || t.IsZero() {
		return 0, false
	}
	d := nanos(t) - r.begin // may overflow, and so does what back adds
	if d%int64(time.Second) == 0 {
		return protowire.EncodeZigZag(d/int64(time.Second))<<1 | 1, true
	}
	z := protowire.EncodeZigZag(d)
	return z << 1, z < 1<<63
}

// back is the moment that far away.
func (r *record) back(away uint64) time.Time {
	d := protowire.DecodeZigZag(away >> 1)
	if away&1 != 0 {
		d *= int64(time.Second)
	}
	return moment(r.begin + d)
}
