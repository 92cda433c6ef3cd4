// Package wire writes messages of protobuf field by field, without building them
// first. What it writes is what the generated code writes, byte for byte, as long
// as fields are written in the order of their numbers.
package wire

import (
	"errors"
	"math"
	"slices"
	"sync"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrText reports a text that is not in UTF-8, which no message can hold.
var ErrText = errors.New("a text is not in UTF-8")

// Writer writes one message. A field that is 0 or empty is left out, as the
// generated code does, except where a method says otherwise.
type Writer struct {
	Bytes []byte // what was written so far
	Err   error  // the first fault; the bytes mean nothing then
	room  *[]byte
}

// rooms are what messages are written in, one after the other: nobody knows
// beforehand how long one gets.
var rooms = sync.Pool{New: func() any { return new(make([]byte, 0, 4<<10)) }}

// mostRoom is how much of a room is kept after a message that was very long.
const mostRoom = 64 << 10

// New begins a message. [Writer.Take], [Writer.TakeText] or [Writer.Leave] must follow.
func New() Writer {
	room := rooms.Get().(*[]byte)
	return Writer{Bytes: (*room)[:0], room: room}
}

// Take gives the message, in as many bytes as it has, and ends the writer.
func (w *Writer) Take() ([]byte, error) {
	defer w.Leave()
	return slices.Clone(w.Bytes), w.Err
}

// TakeText gives the message as a text, and ends the writer.
func (w *Writer) TakeText() (string, error) {
	defer w.Leave()
	return string(w.Bytes), w.Err
}

// Leave ends the writer; the bytes are nobody's then.
func (w *Writer) Leave() {
	if cap(w.Bytes) <= mostRoom {
		*w.room = w.Bytes[:0]
	}
	rooms.Put(w.room)
	w.Bytes, w.room = nil, nil
}

// Number writes an integer, an enumeration or a boolean; one that may be negative
// is converted to 64 bits with its sign first.
func (w *Writer) Number(n protowire.Number, v uint64) {
	if v != 0 {
		w.tag(n, protowire.VarintType)
		w.Bytes = protowire.AppendVarint(w.Bytes, v)
	}
}

// Flag writes a boolean.
func (w *Writer) Flag(n protowire.Number, v bool) { w.Number(n, protowire.EncodeBool(v)) }

// Fixed64 writes 64 bits.
func (w *Writer) Fixed64(n protowire.Number, v uint64) {
	if v != 0 {
		w.Stated(n, v)
	}
}

// Stated writes 64 bits even if they are 0: of a field that tells what was not
// stated from what is 0.
func (w *Writer) Stated(n protowire.Number, v uint64) {
	w.tag(n, protowire.Fixed64Type)
	w.Bytes = protowire.AppendFixed64(w.Bytes, v)
}

// Float writes a double.
func (w *Writer) Float(n protowire.Number, v float64) { w.Fixed64(n, math.Float64bits(v)) }

// Text writes a string.
func (w *Writer) Text(n protowire.Number, v string) {
	if v != "" {
		w.Entry(n, v)
	}
}

// Entry writes a string of a list, even if it is empty.
func (w *Writer) Entry(n protowire.Number, v string) {
	if !utf8.ValidString(v) {
		w.Err = ErrText
	}
	w.tag(n, protowire.BytesType)
	w.Bytes = protowire.AppendString(w.Bytes, v)
}

// Blob writes bytes.
func (w *Writer) Blob(n protowire.Number, v []byte) {
	if len(v) > 0 {
		w.tag(n, protowire.BytesType)
		w.Bytes = protowire.AppendBytes(w.Bytes, v)
	}
}

// Open begins a message within the message, or a packed list; Close ends it. One
// byte is left for its length, and what was written moves when that needs more.
func (w *Writer) Open(n protowire.Number) (start int) {
	w.tag(n, protowire.BytesType)
	w.Bytes = append(w.Bytes, 0)
	return len(w.Bytes)
}

// Close ends what was opened there.
func (w *Writer) Close(start int) {
	size := len(w.Bytes) - start
	if size < 0x80 {
		w.Bytes[start-1] = byte(size)
		return
	}
	length := protowire.AppendVarint(make([]byte, 0, 10), uint64(size))
	w.Bytes = slices.Replace(w.Bytes, start-1, start, length...)
}

func (w *Writer) tag(n protowire.Number, kind protowire.Type) {
	w.Bytes = protowire.AppendTag(w.Bytes, n, kind)
}
