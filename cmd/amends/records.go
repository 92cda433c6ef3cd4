package main

import (
	"bufio"
	"bytes"
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
		if start, err := in.Peek(3); err == nil && bytes.Equal(start, []byte("\xef\xbb\xbf")) {
			_, _ = in.Discard(3)
		}
		first, blank, err := firstByte(in)
		switch {
		case errors.Is(err, io.EOF):
		case err != nil:
			yield(record{line: blank + 1, err: err})
		case first == '[':
			array(in, blank, yield)
		default:
			lines(in, blank, yield)
		}
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
	scanner := bufio.NewScanner(in)
	scanner.Buffer(make([]byte, 64<<10), mostRecordBytes)
	number := before
	open := record{}
	for scanner.Scan() {
		number++
		line := scanner.Bytes()
		// An object that begins while one is open shows that the latter was cut off.
		if len(open.raw) > 0 && (bytes.HasPrefix(line, []byte("{")) || len(open.raw)+len(line) > mostRecordBytes) {
			if !yield(checked(open)) {
				return
			}
			open = record{}
		}
		if len(open.raw) == 0 && len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if open.add(number, line) {
			if !yield(checked(open)) {
				return
			}
			open = record{}
		}
	}
	if len(open.raw) > 0 && !yield(checked(open)) {
		return
	}
	if errors.Is(scanner.Err(), bufio.ErrTooLong) {
		yield(record{line: number + 1, err: noJSON(fmt.Errorf("longer than %d bytes; nothing from here on was read", mostRecordBytes))})
	} else if scanner.Err() != nil {
		yield(record{line: number + 1, err: scanner.Err()})
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
			yield(record{line: before + counter.lineOf(err), err: fmt.Errorf("%w; nothing from here on was read", noJSON(err))})
			return
		}
		end := decoder.InputOffset()
		if !yield(record{line: before + counter.lineAt(end-int64(len(value))), raw: value}) {
			return
		}
	}
	if _, err := decoder.Token(); err != nil {
		yield(record{line: before + counter.lineOf(err), err: noJSON(fmt.Errorf("the array is not closed: %w", err))})
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
