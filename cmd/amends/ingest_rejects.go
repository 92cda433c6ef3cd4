package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// rejects is the file of the records that were refused. It is made with the first of them.
type rejects struct {
	path    string // empty: none is kept
	file    *os.File
	written int64
	sum     hash.Hash       // of what is written; see hashed
	kept    map[string]bool // contents of entries about records behind the last note of an interrupted run
}

// reject is one line of it. It is made so that it can be mended and sent again as it is. Its members stay as they were written, however often
// they are sent, so that what was not mended is refused again.
type reject struct {
	File    string          `json:"file"`
	Line    int             `json:"line"`
	Reasons []string        `json:"reasons"`
	Record  json.RawMessage `json:"record,omitempty"`
	Row     json.RawMessage `json:"row,omitempty"`    // cells by column
	Header  json.RawMessage `json:"header,omitempty"` // above the text, which is a row then
	Text    json.RawMessage `json:"text,omitempty"`
}

// check finds a file that is there already.
func (r *rejects) check() error { return overwritesNothing(r.path, "amends ingest", "--rejects") }

// overwritesNothing finds a file that must not be overwritten with records: somebody may be about to mend it, or it is none of ours. An empty
// one holds nothing to lose. It is sent with send, and another is named with the flag.
func overwritesNothing(path, send, flag string) error {
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
		return &usageError{err: fmt.Errorf("%s is there from an earlier run, or for something else, and is not overwritten: send it when it is mended (%s %s), or move it away, or name another with %s", path, send, path, flag)}
	}
	return nil
}

// openKept opens a file to keep records in, which are customer data.
func openKept(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// goOn takes up the file of an interrupted run. It tells whether that was changed since; then nothing of it is cut.
func (r *rejects) goOn(n *note) (changed bool, err error) {
	if r.path == "" {
		return false, nil
	}
	file, err := os.OpenFile(r.path, os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil // somebody has taken it away, to mend it
	}
	if err != nil {
		return false, err
	}
	r.file = file
	if _, err := io.CopyN(r.hashed(), file, n.Rejects); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	changed, r.sum = r.hash() != n.RejectsHash, nil
	if err := seekTo(file, 0); err != nil {
		return changed, err
	}
	return changed, r.goThrough(n.Line, !changed)
}

// goThrough goes to the end of the file, past all that is about records behind the line: that is not written again. The note may speak of
// it, if a run before this one has found it and come no further.
func (r *rejects) goThrough(line int, ours bool) error {
	r.kept = map[string]bool{}
	for in := bufio.NewReader(r.file); ; {
		text, err := in.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		var e reject
		isWhole := json.Unmarshal(text, &e) == nil
		if isWhole && e.Line > line {
			r.kept[e.content()] = true
		}
		switch {
		case err == nil:
			r.has(text)
		case len(text) == 0:
			return nil
		case ours && !isWhole && text[0] == '{': // half an entry, of which all comes again
			return errors.Join(r.file.Truncate(r.written), seekTo(r.file, r.written))
		default:
			r.has(append(text, '\n'))
			_, err := r.file.Write([]byte{'\n'})
			return err
		}
	}
}

// has takes in what stands at the end of the file.
func (r *rejects) has(text []byte) {
	r.written += int64(len(text))
	_, _ = r.hashed().Write(text)
}

func seekTo(file *os.File, offset int64) error {
	_, err := file.Seek(offset, io.SeekStart)
	return err
}

// hashed is the hash of what has been written.
func (r *rejects) hashed() hash.Hash {
	if r.sum == nil {
		r.sum = sha256.New()
	}
	return r.sum
}

// hash tells what was written from anything else.
func (r *rejects) hash() string { return hex.EncodeToString(r.hashed().Sum(nil)) }

// content is what an entry says but for the reasons, which may be others the next time.
func (e reject) content() string {
	e.Reasons = nil
	raw, _ := json.Marshal(e) // it was read, or will be written
	return string(raw)
}

// add writes one entry.
func (r *rejects) add(entry reject) error {
	if content := entry.content(); r.path == "" || r.kept[content] {
		delete(r.kept, content)
		return nil
	}
	if r.file == nil {
		file, err := openKept(r.path)
		if err != nil {
			return &usageError{err: fmt.Errorf("the rejects cannot be kept: %w", err)}
		}
		r.file = file
	}
	var line bytes.Buffer
	out := json.NewEncoder(&line)
	out.SetEscapeHTML(false)
	if err := out.Encode(entry); err != nil {
		return err
	}
	_, err := r.file.Write(line.Bytes())
	if err == nil { // half a line is cut off by who goes on
		r.has(line.Bytes())
	}
	return err
}

// sync makes sure that what is noted as written is there.
func (r *rejects) sync() error {
	if r.file == nil {
		return nil
	}
	return r.file.Sync()
}

func (r *rejects) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// entry is what is kept of a record that was refused. What was an entry already keeps its content, and has new reasons.
func (in *intake) entry(it *item) reject {
	e := in.contentOf(it)
	e.File, e.Line, e.Reasons = in.text.name, it.line, reasons(it.err)
	return e
}

// contentOf is what is kept of what was read. Only what says the same again is kept as a record or a row.
func (in *intake) contentOf(it *item) reject {
	switch {
	case errors.Is(it.err, errTooLong):
		return reject{Text: asText(it.raw)} // the beginning alone, which may look whole
	case in.table != nil:
		if row := in.table.named(it.raw); row != nil {
			return reject{Row: inJSON(row)}
		}
		return reject{Header: inJSON(in.table.line), Text: asText(it.raw)}
	case !json.Valid(it.raw):
		return reject{Text: asText(it.raw)}
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(it.raw, &fields) == nil {
		if e, isOne := rejectOf(fields); isOne && (e.Record != nil || e.Row != nil || e.Text != nil) {
			return e
		}
	}
	return reject{Record: it.raw}
}

// asText writes down what may be no UTF-8.
func asText(raw []byte) json.RawMessage {
	return inJSON(strings.ToValidUTF8(string(raw), string(utf8.RuneError)))
}

// inJSON writes a text, or the cells of a row, so that it can be read and mended.
func inJSON(value any) json.RawMessage {
	var out bytes.Buffer
	to := json.NewEncoder(&out)
	to.SetEscapeHTML(false)
	_ = to.Encode(value) // texts can be written
	return bytes.TrimSpace(out.Bytes())
}

// reasons are all that is wrong with a record, one each.
func reasons(err error) []string {
	e := ofService(err)
	if e == nil {
		return strings.Split(err.Error(), "\n")
	}
	if len(e.Violations) == 0 {
		return []string{headline(e)}
	}
	list := make([]string, len(e.Violations))
	for i, v := range e.Violations {
		list[i] = inRecord(v.Field) + ": " + v.Description
	}
	return list
}

// inRecord is the path of a field from the record on, not from the request that carries it.
func inRecord(field string) string {
	for _, carrier := range []string{"failure.", "interaction."} {
		if rest, found := strings.CutPrefix(field, carrier); found {
			return rest
		}
	}
	return field
}
