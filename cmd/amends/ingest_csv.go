package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/makeamends/amends/internal/nearest"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// table is a CSV file by its header: which column says what.
type table struct {
	header   []string
	line     string // the header as it is written
	kind     kind   // of every row; unknown: the column of the type says it
	typed    int    // the column of the type; -1: there is none
	currency int    // the column of the currency of amounts that have none; -1: there is none
	columns  map[kind][]*column
	doubles  map[kind]map[int]int // columns that say of such records what another one does, which counts
	comma    rune
}

// column is where the cells of one column go in a message.
type column struct {
	path []protoreflect.FieldDescriptor
}

// columnsOf are the columns that a kind of record may have, by their plain names: its fields, and those of the messages of ours in it.
func columnsOf(about protoreflect.MessageDescriptor, path ...protoreflect.FieldDescriptor) map[string]*column {
	found := map[string]*column{}
	for i := range about.Fields().Len() {
		field := about.Fields().Get(i)
		here := append(slices.Clone(path), field)
		if inner := field.Message(); inner != nil && inner.ParentFile().Package() == about.ParentFile().Package() {
			for name, c := range columnsOf(inner, here...) {
				found[name] = c
			}
			continue
		}
		found[plainly(string(field.Name()))] = &column{here}
	}
	return found
}

var columnNames = map[kind]map[string]*column{failure: columnsOf(failureDesc), interaction: columnsOf(interactionDesc)}

// aliases are further names of columns.
var aliases = map[kind]map[string]string{
	failure:     {"id": "eventid", "kind": "kinds", "customer": "customerid", "order": "orderid"},
	interaction: {"id": "interactionid", "kinds": "kind", "customer": "customerid", "order": "orderid"},
}

func columnOf(k kind, name string) *column {
	if c := columnNames[k][name]; c != nil {
		return c
	}
	return columnNames[k][aliases[k][name]]
}

// newTable understands a header, or names all that it does not understand.
func newTable(header []string) (*table, error) {
	t := &table{header: header, typed: -1, currency: -1, columns: map[kind][]*column{}, doubles: map[kind]map[int]int{}}
	seen := map[string]bool{}
	var faults []error
	for i, written := range header {
		name := plainly(written)
		if seen[name] {
			faults = append(faults, fmt.Errorf("the column %q is there twice", written))
		}
		seen[name] = true
		switch name {
		case "type":
			t.typed = i
		case "currency":
			t.currency = i
		default:
			if columnOf(failure, name) == nil && columnOf(interaction, name) == nil {
				faults = append(faults, fmt.Errorf("the column %q is not known%s", written, nearColumn(written)))
			}
		}
		for _, k := range []kind{failure, interaction} {
			t.columns[k] = append(t.columns[k], columnOf(k, name))
		}
	}
	t.kind = t.tellKind(seen)
	faults = append(faults, t.findDoubles()...)
	if t.kind == unknown && t.typed < 0 && len(faults) == 0 {
		faults = append(faults, errors.New("the header does not tell what the rows are: a column event_id or kinds makes them failures, interaction_id or kind interactions; "+
			"or add a column type that says failure or interaction in each row"))
	}
	return t, errors.Join(faults...)
}

// findDoubles has each field come from one column, the one that has its name. The other is a fault where it says nothing else: id beside
// event_id is of use where interactions are in the file too.
func (t *table) findDoubles() (faults []error) {
	kinds := []kind{t.kind}
	if t.kind == unknown {
		kinds = []kind{failure, interaction}
	}
	of := map[int]int{} // useless columns, and what says the same
	for _, k := range kinds {
		t.doubles[k] = map[int]int{}
		for i, c := range t.columns[k] {
			named := slices.IndexFunc(t.header, func(other string) bool { return c != nil && columnNames[k][plainly(other)] == c })
			if named >= 0 && plainly(t.header[named]) != plainly(t.header[i]) {
				t.doubles[k][i], t.columns[k][i], of[i] = named, nil, named
			}
		}
	}
	for _, i := range slices.Sorted(maps.Keys(of)) {
		if !slices.ContainsFunc(kinds, func(k kind) bool { return t.columns[k][i] != nil }) {
			faults = append(faults, fmt.Errorf("the columns %q and %q say the same; leave one of them out", t.header[i], t.header[of[i]]))
		}
	}
	return faults
}

// tellKind says what all rows are; unknown if each says it for itself.
func (t *table) tellKind(seen map[string]bool) kind {
	switch {
	case t.typed >= 0:
		return unknown
	case seen["eventid"] && !seen["interactionid"]:
		return failure
	case seen["interactionid"] && !seen["eventid"]:
		return interaction
	default:
		told := tell(func(name string) bool { return seen[name] })
		if told == unknown && fits(failure, seen) && !fits(interaction, seen) {
			return failure // kind stands for kinds
		}
		return told
	}
}

// fits tells whether a kind of record may have all of these columns.
func fits(k kind, seen map[string]bool) bool {
	for name := range seen {
		if name != "currency" && columnOf(k, name) == nil {
			return false
		}
	}
	return true
}

func nearColumn(written string) string {
	var names []string
	for _, about := range []protoreflect.MessageDescriptor{failureDesc, interactionDesc} {
		for _, c := range columnsOf(about) {
			names = append(names, string(c.path[len(c.path)-1].Name()))
		}
	}
	slices.Sort(names)
	return nearest.DidYouMean(strings.ToLower(written), slices.Compact(names), "%s")
}

// readHeader takes the first line that is not blank off a CSV file. The header also tells what stands between the cells.
func readHeader(lines *lineReader) (*table, error) {
	for {
		line, err := lines.next()
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		comma := ','
		for _, other := range ";\t" {
			if bytes.ContainsRune(line, other) && !bytes.ContainsRune(line, ',') {
				comma = other
			}
		}
		header, err := cells(line, comma)
		if err != nil {
			return nil, err
		}
		t, err := newTable(header)
		if err != nil {
			return nil, fmt.Errorf("the first line is no header that is understood:\n%w\n\"amends ingest --help\" lists the columns", err)
		}
		t.line, t.comma = string(line), comma
		return t, nil
	}
}

// rows gives the lines below the header. A row is a line: no field of the contract may hold the end of one, and so a quotation mark that is
// missing costs no other row.
func rows(lines *lineReader) iter.Seq[record] {
	return func(yield func(record) bool) {
		for {
			line, err := lines.next()
			var r record
			switch {
			case err == nil && len(bytes.TrimSpace(line)) == 0:
				continue
			case err == nil:
				r = record{line: lines.number, raw: bytes.Clone(line)}
			case errors.Is(err, errTooLong):
				r = record{line: lines.number, raw: bytes.Clone(line), err: &usageError{err: err}}
			case errors.Is(err, io.EOF):
				return
			default:
				yield(record{line: lines.number + 1, err: &brokenOff{err}})
				return
			}
			if !yield(r) {
				return
			}
		}
	}
}

// cells takes one line apart.
func cells(line []byte, comma rune) ([]string, error) {
	in := csv.NewReader(bufio.NewReaderSize(bytes.NewReader(line), 4096))
	in.Comma, in.FieldsPerRecord = comma, -1
	row, err := in.Read()
	if wrong := new(csv.ParseError); errors.As(err, &wrong) {
		return nil, fmt.Errorf("character %d: %w", wrong.Column, wrong.Err)
	}
	return row, err
}

var errNoUTF8 = &usageError{err: errors.New("no UTF-8: save the file as UTF-8, or convert it (such as iconv -f WINDOWS-1252 -t UTF-8)")}

// decodeRow reads one line of the table.
func (t *table) decodeRow(it *item) {
	if !utf8.Valid(it.raw) {
		it.err = errNoUTF8
		return
	}
	row, err := cells(it.raw, t.comma)
	if err != nil {
		it.err = &usageError{err: fmt.Errorf("no CSV: %w", err)}
		return
	}
	if len(row) != len(t.header) {
		it.err = &usageError{err: fmt.Errorf("%d cells, where the header has %d", len(row), len(t.header))}
		return
	}
	it.message, it.err = t.message(row)
}

// named gives the cells of a line under the names of their columns; nil where a cell may stand in the place of another. Empty ones are among
// them: without its column another one might say what the cell leaves unsaid.
func (t *table) named(line []byte) map[string]string {
	row, err := cells(line, t.comma)
	if err != nil || len(row) != len(t.header) || !utf8.Valid(line) {
		return nil
	}
	named := map[string]string{}
	if t.typed < 0 { // the cells that are left may not tell it
		named["type"] = t.kind.String()
	}
	for i, cell := range row {
		named[t.header[i]] = cell
	}
	return named
}

// message makes a record of a row, or names all its faults.
func (t *table) message(row []string) (proto.Message, error) {
	k, err := t.kindOf(row)
	if err != nil {
		return nil, &usageError{err: err}
	}
	request := &recoveryv1.IngestRequest{}
	field := request.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(k.String()))
	target := request.ProtoReflect().Mutable(field).Message()
	var faults []error
	for i, cell := range row {
		if cell = strings.TrimSpace(cell); cell == "" || i == t.typed || i == t.currency {
			continue
		}
		c := t.columns[k][i]
		if other, doubled := t.doubles[k][i]; doubled {
			faults = append(faults, fmt.Errorf("%s: the column %q says that of records of type %s; leave the cell empty", t.header[i], t.header[other], k))
			continue
		}
		if c == nil {
			faults = append(faults, fmt.Errorf("%s: records of type %s have no such column; leave the cell empty", t.header[i], k))
			continue
		}
		currency := ""
		if t.currency >= 0 {
			currency = strings.TrimSpace(row[t.currency])
		}
		if err := c.set(target, cell, currency); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", t.header[i], err))
		}
	}
	if len(faults) > 0 {
		return nil, &usageError{err: errors.Join(faults...)}
	}
	return request, nil
}

func (t *table) kindOf(row []string) (kind, error) {
	if t.typed < 0 {
		return t.kind, nil
	}
	switch cell := row[t.typed]; plainly(cell) {
	case "failure":
		return failure, nil
	case "interaction":
		return interaction, nil
	default:
		return unknown, fmt.Errorf("%s: %q is neither failure nor interaction", t.header[t.typed], cell)
	}
}
