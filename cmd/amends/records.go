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

// lines gathers lines until they are a whole value. A line that begins a new object while one is unfinished shows that the latter was cut.
func lines(in *bufio.Reader, before int, yield func(record) bool) {
	scanner := bufio.NewScanner(in)
	scanner.Buffer(make([]byte, 64<<10), mostRecordBytes)
	number := before
	open := record{}
	for scanner.Scan() {
		number++
		line := scanner.Bytes()
		if len(open.raw) > 0 && (bytes.HasPrefix(line, []byte("{")) || len(open.raw)+len(line) > mostRecordBytes) {
			if !yield(broken(open)) {
				return
			}
			open = record{}
		}
		if len(open.raw) == 0 {
			if len(bytes.TrimSpace(line)) == 0 {
				continue
			}
			open.line = number
		} else {
			open.raw = append(open.raw, '\n')
		}
		open.raw = append(open.raw, line...)
		if unfinished(open.raw) {
			continue
		}
		if !yield(checked(open)) {
			return
		}
		open = record{}
	}
	if len(open.raw) > 0 && !yield(broken(open)) {
		return
	}
	if errors.Is(scanner.Err(), bufio.ErrTooLong) {
		yield(record{line: number + 1, err: fmt.Errorf("longer than %d bytes; nothing from here on was read", mostRecordBytes)})
	} else if scanner.Err() != nil {
		yield(record{line: number + 1, err: scanner.Err()})
	}
}

// unfinished tells whether raw is right as far as it goes, so that more lines could make a value of it.
func unfinished(raw []byte) bool {
	var value json.RawMessage
	err := json.NewDecoder(bytes.NewReader(raw)).Decode(&value)
	return errors.Is(err, io.ErrUnexpectedEOF)
}

// checked gives the record its error if it is no JSON value.
func checked(r record) record {
	var value json.RawMessage
	if err := json.Unmarshal(r.raw, &value); err != nil {
		return broken(r)
	}
	return r
}

func broken(r record) record {
	var value json.RawMessage
	err := json.Unmarshal(r.raw, &value)
	if syntax := new(json.SyntaxError); errors.As(err, &syntax) {
		place := int(min(max(syntax.Offset, 1), int64(len(r.raw)))) - 1
		at := r.line + bytes.Count(r.raw[:place], []byte("\n"))
		err = fmt.Errorf("no JSON: %w", err)
		if at != r.line {
			err = fmt.Errorf("line %d: %w", at, err)
		}
	}
	r.err = err
	return r
}

// array reads the values of one JSON array, however they are laid out.
func array(in io.Reader, before int, yield func(record) bool) {
	counter := &lineCounter{in: in}
	decoder := json.NewDecoder(counter)
	_, _ = decoder.Token() // the bracket that brought us here
	for decoder.More() {
		var value json.RawMessage
		err := decoder.Decode(&value)
		end := decoder.InputOffset()
		if err != nil {
			at := before + counter.lineAt(end)
			yield(record{line: at, err: fmt.Errorf("no JSON: %w; nothing from here on was read", err)})
			return
		}
		if !yield(record{line: before + counter.lineAt(end-int64(len(value))), raw: value}) {
			return
		}
	}
	if _, err := decoder.Token(); err != nil {
		yield(record{line: before + counter.lineAt(decoder.InputOffset()), err: fmt.Errorf("the array is not closed: %w", err)})
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
