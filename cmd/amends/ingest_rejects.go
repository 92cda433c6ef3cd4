package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// rejects is the file of the records that were refused. It is made with the first of them.
type rejects struct {
	path    string // empty: none is kept
	fresh   bool   // a file that is there already must not be touched
	file    *os.File
	written int64
}

// reject is one line of it. It is made so that it can be mended and sent again as it is.
type reject struct {
	File    string            `json:"file"`
	Line    int               `json:"line"`
	Reasons []string          `json:"reasons"`
	Record  json.RawMessage   `json:"record,omitempty"`
	Row     map[string]string `json:"row,omitempty"`
	Text    string            `json:"text,omitempty"`
}

// check finds a file of an earlier run, which somebody may be about to mend.
func (r *rejects) check() error {
	if !r.fresh || r.path == "" {
		return nil
	}
	if _, err := os.Stat(r.path); err == nil {
		return &usageError{err: fmt.Errorf("%s is there from an earlier run: send it when it is mended (amends ingest %s), or remove it, or name another with --rejects", r.path, r.path)}
	}
	return nil
}

// goOn takes up the file of an interrupted run, as far as that run has noted it.
func (r *rejects) goOn(written int64) error {
	if r.path == "" || written == 0 {
		return nil
	}
	file, err := os.OpenFile(r.path, os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		return nil // somebody has taken it away, to mend it
	}
	if err != nil {
		return err
	}
	if info, err := file.Stat(); err == nil {
		written = min(written, info.Size())
	}
	if err := errors.Join(file.Truncate(written), seekTo(file, written)); err != nil {
		return errors.Join(err, file.Close())
	}
	r.file, r.written = file, written
	return nil
}

func seekTo(file *os.File, offset int64) error {
	_, err := file.Seek(offset, io.SeekStart)
	return err
}

// add writes one entry.
func (r *rejects) add(entry reject) error {
	if r.path == "" {
		return nil
	}
	if r.file == nil {
		file, err := os.OpenFile(r.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
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
	n, err := r.file.Write(line.Bytes())
	if err == nil { // half a line is cut off by who goes on
		r.written += int64(n)
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
	var e reject
	if in.table != nil {
		e.Row = in.table.named(it.raw)
	} else if json.Unmarshal(it.raw, &e) != nil || e.Reasons == nil {
		if e = (reject{}); json.Valid(it.raw) {
			e.Record = it.raw
		}
	}
	if e.Row == nil && e.Record == nil && e.Text == "" {
		e.Text = strings.ToValidUTF8(string(it.raw), string(utf8.RuneError))
	}
	e.File, e.Line, e.Reasons = in.text.name, it.line, reasons(it.err)
	return e
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
	for _, carrier := range []string{"event.", "interactions[0].", "failure.", "interaction."} {
		if rest, found := strings.CutPrefix(field, carrier); found {
			return rest
		}
	}
	return field
}
