package document

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Place is the line and column of the field that a path leads to, or of the
// closest field around it that is there.
func (s *Document) Place(p Path) (line, column int) {
	n := s.closest(p)
	return max(n.Line, 1), max(n.Column, 1)
}

// PlaceOfKey is the place of the key of the map entry that a path leads to.
func (s *Document) PlaceOfKey(p Path) (line, column int) {
	n := s.closest(p[:len(p)-1])
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Kind == yaml.MappingNode && Key(n.Content[i].Value) == p[len(p)-1] {
			return n.Content[i].Line, n.Content[i].Column
		}
	}
	return s.Place(p)
}

func (s *Document) closest(p Path) *yaml.Node {
	n := s.Root
	if n == nil {
		return &yaml.Node{}
	}
	for _, step := range p {
		next := child(n, step)
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

func child(n *yaml.Node, step any) *yaml.Node {
	switch step := step.(type) {
	case int:
		if n.Kind == yaml.SequenceNode && step >= 0 && step < len(n.Content) {
			return n.Content[step]
		}
	case string:
		return entry(n, step)
	case Key:
		return entry(n, string(step))
	}
	return nil
}

func entry(n *yaml.Node, name string) *yaml.Node {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// fieldAt is the path of the key or value at a place; empty when there is none.
func (s *Document) fieldAt(line, column int) string {
	var find func(n *yaml.Node, p Path) string
	find = func(n *yaml.Node, p Path) string {
		if n.Line == line && n.Column == column && len(p) > 0 && n.Kind != yaml.MappingNode {
			return p.String()
		}
		for i, c := range n.Content {
			at := p.To(i)
			if n.Kind == yaml.MappingNode {
				at = p.To(n.Content[i-i%2].Value)
			}
			if found := find(c, at); found != "" {
				return found
			}
		}
		if n.Line == line && n.Column == column {
			return p.String()
		}
		return ""
	}
	return find(s.Root, nil)
}

// Within is the place, in the file, of a character of the text of a field: the
// one after offset characters. Folding, indentation and quotes of YAML change
// blanks only, so it is found by counting the others.
func (s *Document) Within(p Path, offset int) (line, column int) {
	n := s.closest(p)
	solid := 0
	for i, r := range []rune(n.Value) {
		if i < offset && !unicode.IsSpace(r) {
			solid++
		}
	}
	line, column = s.Place(p)
	lines := strings.Split(s.Text, "\n")
	if line > len(lines) {
		return line, column
	}
	rest := strings.Join(append([]string{skip(lines[line-1], column-1)}, lines[line:]...), "\n")
	c := cursor{line: line, column: column, rest: rest, quote: n.Style}
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
func skip(line string, n int) string {
	for range n {
		_, size := utf8.DecodeRuneInString(line)
		line = line[size:]
	}
	return line
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
	n := s.Root
	for _, step := range p {
		if n = child(n, step); n == nil {
			return false
		}
	}
	return !s.Marked(n.Line, n.Column)
}

// Marked reports whether a place has a finding already.
func (s *Document) Marked(line, column int) bool {
	for _, f := range s.Findings {
		if f.Line == line && f.Column == column {
			return true
		}
	}
	return false
}
