package document

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// place is a line and a column, both from 1.
type place struct{ line, column int }

// way is a path from its end: those of a deep document share what they have in common.
type way struct {
	to   *way
	step any
}

func (w *way) path() (p Path) {
	for ; w != nil; w = w.to {
		p = append(p, w.step)
	}
	slices.Reverse(p)
	return p
}

// name is that of an entry of a map.
type name struct {
	of   *yaml.Node
	text string
}

// index says where everything stands, so that a document need not be searched for
// each of its faults.
type index struct {
	fields map[place]*way // that begin there; of two the outer one, unless it is a map
	keys   map[name]int   // in the content of the map; of two the first
	lines  []int          // where each begins in the text
}

// places makes the index when it is first asked for.
func (s *Document) places() *index {
	if s.index != nil {
		return s.index
	}
	s.index = &index{fields: map[place]*way{}, keys: map[name]int{}, lines: []int{0}}
	for i := range len(s.Text) {
		if s.Text[i] == '\n' {
			s.index.lines = append(s.index.lines, i+1)
		}
	}
	if s.Root != nil {
		s.index.add(s.Root, nil)
	}
	return s.index
}

func (x *index) add(n *yaml.Node, w *way) {
	if n.Kind != yaml.MappingNode {
		x.begin(n, w)
	}
	for i, c := range n.Content {
		below := &way{w, i}
		if n.Kind == yaml.MappingNode {
			key := n.Content[i-i%2]
			below.step = key.Value
			if _, twice := x.keys[name{n, key.Value}]; !twice {
				x.keys[name{n, key.Value}] = i
			}
		}
		x.add(c, below)
	}
	x.begin(n, w)
}

func (x *index) begin(n *yaml.Node, w *way) {
	at := place{n.Line, n.Column}
	if _, taken := x.fields[at]; !taken && w != nil {
		x.fields[at] = w
	}
}

// fieldAt is the path of the key or value at a place; empty when there is none.
func (s *Document) fieldAt(line, column int) string {
	return s.places().fields[place{line, column}].path().String()
}

// Place is the line and column of the field that a path leads to, or of the
// closest field around it that is there.
func (s *Document) Place(p Path) (line, column int) {
	n, _ := s.closest(p)
	return max(n.Line, 1), max(n.Column, 1)
}

// PlaceOfKey is the place of the key of the map entry that a path leads to.
func (s *Document) PlaceOfKey(p Path) (line, column int) {
	n, _ := s.closest(p[:len(p)-1])
	if k, ok := p[len(p)-1].(Key); ok {
		if i, there := s.places().keys[name{n, string(k)}]; there {
			return n.Content[i].Line, n.Content[i].Column
		}
	}
	return s.Place(p)
}

// closest is the field that a path leads to, or the closest around it.
func (s *Document) closest(p Path) (n *yaml.Node, there bool) {
	if s.Root == nil {
		return &yaml.Node{}, false
	}
	n = s.Root
	for _, step := range p {
		next := s.child(n, step)
		if next == nil {
			return n, false
		}
		n = next
	}
	return n, true
}

func (s *Document) child(n *yaml.Node, step any) *yaml.Node {
	switch step := step.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && step >= 0 && step < len(n.Content) {
			return n.Content[step]
		}
	case string:
		return s.entry(n, step)
	case Key:
		return s.entry(n, string(step))
	}
	return nil
}

func (s *Document) entry(n *yaml.Node, key string) *yaml.Node {
	if i, there := s.places().keys[name{n, key}]; there {
		return n.Content[i+1]
	}
	return nil
}

// Within is the place, in the file, of a character of the text of a field: the
// one after offset characters. Folding, indentation and quotes of YAML change
// blanks only, so it is found by counting the others.
func (s *Document) Within(p Path, offset int) (line, column int) {
	n, _ := s.closest(p)
	solid := 0
	for i, r := range []rune(n.Value) {
		if i < offset && !unicode.IsSpace(r) {
			solid++
		}
	}
	line, column = s.Place(p)
	lines := s.places().lines
	if line > len(lines) {
		return line, column
	}
	c := cursor{line: line, column: column, rest: skip(s.Text[lines[line-1]:], column-1), quote: n.Style}
	c.open()
	for range solid {
		c.solid()
		c.step()
	}
	if offset < len([]rune(n.Value)) {
		c.solid() // else the fault is that the text ends here
	}
	return c.line, c.column
}

// skip leaves out the first n characters.
func skip(text string, n int) string {
	for range n {
		_, size := utf8.DecodeRuneInString(text)
		text = text[size:]
	}
	return text
}

// cursor walks the raw text of a YAML scalar.
type cursor struct {
	line, column int
	rest         string
	quote        yaml.Style
}

func (c *cursor) next() {
	r, size := utf8.DecodeRuneInString(c.rest)
	c.rest = c.rest[size:]
	c.column++
	if r == '\n' {
		c.line, c.column = c.line+1, 1
	}
}

// open passes the quote or the block indicator that a scalar begins with.
func (c *cursor) open() {
	switch {
	case c.quote&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		c.next()
	case c.quote&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		for line := c.line; line == c.line && c.rest != ""; {
			c.next()
		}
	}
}

// step passes one character of the text, which may be written as two.
func (c *cursor) step() {
	escaped := c.quote&yaml.DoubleQuotedStyle != 0 && strings.HasPrefix(c.rest, `\`) ||
		c.quote&yaml.SingleQuotedStyle != 0 && strings.HasPrefix(c.rest, `''`)
	if escaped {
		c.next()
	}
	c.next()
}

// solid passes blanks.
func (c *cursor) solid() {
	for c.rest != "" && strings.ContainsRune(" \t\n", rune(c.rest[0])) {
		c.next()
	}
}

// Sound reports whether a field is given and has no fault of its own, so that
// it can be compared with others.
func (s *Document) Sound(p Path) bool {
	n, there := s.closest(p)
	return there && !s.Marked(n.Line, n.Column)
}

// Marked reports whether a place has a finding already.
func (s *Document) Marked(line, column int) bool { return s.marked[place{line, column}] }
