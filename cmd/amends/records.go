package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
)

// mostRecordBytes is the longest record that is read: far above the largest message that the service takes.
const mostRecordBytes = 1 << 20

// record is one JSON value of a file. A record with err could not be told apart from what stands around it; raw is what there was.
type record struct {
	line int // on which it begins, from 1
	raw  []byte
	err  error
}

// records reads JSON values one after another: one value, an array of values, or one value a line (NDJSON), also spread over several lines.
// A broken value costs only itself, except within an array, where nobody can say where the next one begins.
func records(r io.Reader) iter.Seq[record] {
	return func(yield func(record) bool) {
		in := bufio.NewReader(r)
		skipMark(in)
		first, blank, err := firstByte(in)
		switch {
		case errors.Is(err, io.EOF):
		case err != nil:
			yield(record{line: blank + 1, err: unread(err)})
		case first == '[':
			array(in, blank, yield)
		default:
			lines(in, blank, yield)
		}
	}
}

// byteOrder is the mark with which some programs begin UTF-8.
const byteOrder = "\xef\xbb\xbf"

// skipMark passes over the mark of byte order.
func skipMark(in *bufio.Reader) {
	if start, err := in.Peek(3); err == nil && string(start) == byteOrder {
		_, _ = in.Discard(3)
	}
}

// firstByte skips white space, counting the lines, and looks at what comes next.
func firstByte(in *bufio.Reader) (first byte, lines int, err error) {
	for {
		b, err := in.ReadByte()
		if err != nil {
			return 0, lines, err
		}
		switch b {
		case '\n':
			lines++
		case ' ', '\t', '\r':
		default:
			return b, lines, in.UnreadByte()
		}
	}
}

// lines gathers lines until they are a whole value.
func lines(in *bufio.Reader, before int, yield func(record) bool) {
	reader := lineReader{in: in, number: before}
	open := record{}
	give := func(r record) bool { open = record{}; return yield(r) }
	for {
		line, err := reader.next()
		if err != nil && !errors.Is(err, errTooLong) {
			if errors.Is(err, io.EOF) && len(open.raw) > 0 {
				yield(checked(open))
			} else if !errors.Is(err, io.EOF) {
				yield(record{line: reader.number + 1, err: unread(err)})
			}
			return
		}
		// An object that begins while one is open shows that the latter was cut off.
		if len(open.raw) > 0 && (err != nil || bytes.HasPrefix(line, []byte("{")) || len(open.raw)+len(line) > mostRecordBytes) {
			if !give(checked(open)) {
				return
			}
		}
		switch {
		case err != nil:
			if !give(record{line: reader.number, raw: bytes.Clone(line), err: noJSON(err)}) {
				return
			}
		case len(open.raw) == 0 && len(bytes.TrimSpace(line)) == 0:
		case open.add(reader.number, line):
			if !give(checked(open)) {
				return
			}
		}
	}
}

// brokenOff is why nothing was read from there on.
type brokenOff struct{ cause error }

func (e *brokenOff) Error() string {
	what := ""
	if e.isCut() {
		what = "the file is incomplete: "
	}
	return fmt.Sprintf("%s%v; nothing from here on was read", what, e.cause)
}

func (e *brokenOff) Unwrap() error { return e.cause }

// unread is a fault of the file, but for an interruption.
func unread(err error) error {
	if !errors.Is(err, context.Canceled) {
		err = &usageError{err: err}
	}
	return &brokenOff{err}
}

// isCut tells that the end of the file is missing.
func (e *brokenOff) isCut() bool {
	return errors.Is(e.cause, io.ErrUnexpectedEOF) || errors.Is(e.cause, io.EOF)
}

// lineReader reads lines, each into the place of the one before.
type lineReader struct {
	in     *bufio.Reader
	number int // of the last line
	line   []byte
}

var errTooLong = fmt.Errorf("longer than %d bytes", mostRecordBytes)

// mostShown is how much is kept of a line that is too long.
const mostShown = 1 << 10

// next gives a line without its end. One that is too long is passed over: what it begins with comes with errTooLong. A line on which the
// reader fails is none: nobody knows what is missing of it.
func (l *lineReader) next() ([]byte, error) {
	l.line = l.line[:0]
	long := false
	for {
		part, err := l.in.ReadSlice('\n')
		if room := mostRecordBytes - len(l.line); len(part) > room {
			part, long = part[:room], true
		}
		l.line = append(l.line, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(l.line) == 0:
			return nil, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return nil, err
		}
		l.number++
		if long {
			return l.line[:mostShown], errTooLong
		}
		return bytes.TrimSuffix(bytes.TrimSuffix(l.line, []byte("\n")), []byte("\r")), nil
	}
}

// add takes one more line into the record and tells whether it has come to an end, rightly or not. Only a line that can end an object
// is worth parsing all that was gathered.
func (r *record) add(number int, line []byte) (ended bool) {
	if len(r.raw) == 0 {
		r.line = number
		r.raw = append(r.raw, line...)
		return !errors.Is(syntax(r.raw), io.ErrUnexpectedEOF)
	}
	r.raw = append(append(r.raw, '\n'), line...)
	if !bytes.HasSuffix(bytes.TrimSpace(line), []byte("}")) {
		return false
	}
	err := syntax(r.raw)
	return err == nil || !errors.Is(err, io.ErrUnexpectedEOF) && bytes.HasPrefix(line, []byte("}"))
}

// syntax is nil if raw begins with a JSON value, io.ErrUnexpectedEOF if more bytes could make one of it.
func syntax(raw []byte) error {
	var value json.RawMessage
	return json.NewDecoder(bytes.NewReader(raw)).Decode(&value)
}

// checked gives the record its error, with the line of the fault, if it is not just one JSON value.
func checked(r record) record {
	r.raw = bytes.TrimRight(r.raw, " \t\r\n")
	var value json.RawMessage
	err := json.Unmarshal(r.raw, &value)
	if wrong := new(json.SyntaxError); errors.As(err, &wrong) {
		place := int(min(max(wrong.Offset, 1), int64(len(r.raw)))) - 1
		r.line, r.err = r.line+bytes.Count(r.raw[:place], []byte("\n")), noJSON(err)
	}
	return r
}

func noJSON(err error) error { return &usageError{err: fmt.Errorf("no JSON: %w", err)} }

// array reads the values of one JSON array, however they are laid out.
func array(in io.Reader, before int, yield func(record) bool) {
	counter := &lineCounter{in: in}
	decoder := json.NewDecoder(counter)
	_, _ = decoder.Token() // the bracket that brought us here
	for decoder.More() {
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			yield(record{line: before + counter.lineOf(err), err: &brokenOff{noJSON(err)}})
			return
		}
		end := decoder.InputOffset()
		if !yield(record{line: before + counter.lineAt(end-int64(len(value))), raw: value}) {
			return
		}
	}
	if _, err := decoder.Token(); err != nil {
		yield(record{line: before + counter.lineOf(err), err: &brokenOff{noJSON(fmt.Errorf("the array is not closed: %w", err))}})
		return
	}
	end := decoder.InputOffset()
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		yield(record{line: before + counter.lineAt(end), err: &brokenOff{noJSON(errors.New("something follows the array"))}})
	}
}

// lineCounter remembers where the lines of what was read begin, as far as somebody may still ask.
type lineCounter struct {
	in     io.Reader
	read   int64
	ends   []int64 // offsets just after each newline that lineAt has not passed
	passed int
}

func (c *lineCounter) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	for i, b := range p[:n] {
		if b == '\n' {
			c.ends = append(c.ends, c.read+int64(i)+1)
		}
	}
	c.read += int64(n)
	return n, err
}

// lineAt is the line, from 1, of the byte at the offset. Offsets are asked in rising order.
func (c *lineCounter) lineAt(offset int64) int {
	for len(c.ends) > 0 && c.ends[0] <= offset {
		c.ends, c.passed = c.ends[1:], c.passed+1
	}
	return c.passed + 1
}

// lineOf is the line on which the decoder found the fault, or the last one if more was expected there.
func (c *lineCounter) lineOf(err error) int {
	if wrong := new(json.SyntaxError); errors.As(err, &wrong) {
		return c.lineAt(wrong.Offset - 1)
	}
	return c.lineAt(c.read)
}
