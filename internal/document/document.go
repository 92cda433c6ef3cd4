package document

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"buf.build/go/protoyaml"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
)

// MostBytes is the size up to which a file is read.
const MostBytes = 200_000

// Document is a YAML file that was read into a message, with the place of every
// field, so that whatever is found wrong later can be pointed at.
type Document struct {
	File     string     // its name in the findings
	Text     string     // with Unix line ends, and exactly one at the end
	Root     *yaml.Node // nil when the file is not YAML
	Findings Findings   // in the order in which they were found; see AddAt

	marked map[place]bool   // has a finding
	meant  map[place]string // of fields that are not known: the one that is near
	index  *index           // nil until it is asked for
}

// Read reads YAML straight into a message and reports every fault: of the
// syntax, of the fields, and of the rules that the schema states.
func Read(file string, data []byte, into proto.Message) *Document {
	s := &Document{File: file, Text: canonical(data), marked: map[place]bool{}, meant: map[place]string{}}
	if !s.parse() {
		return s
	}
	s.duplicates(s.Root)
	s.fields(into)
	if !s.Full() {
		s.rules(into)
	}
	return s
}

// canonical is the text that a version is the hash of: without byte order mark,
// with Unix line ends and exactly one at the end.
func canonical(data []byte) string {
	text := strings.TrimPrefix(string(data), "\uFEFF")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.TrimRight(text, "\n") + "\n"
}

// Add reports a fault of the field that the path leads to.
func (s *Document) Add(p Path, format string, args ...any) {
	line, column := s.Place(p)
	s.AddAt(line, column, p.String(), format, args...)
}

// AddAt reports a fault of a line and a column, both from 1. When there are too many,
// it says so and reports no more.
func (s *Document) AddAt(line, column int, field, format string, args ...any) {
	switch found := len(s.Findings); {
	case found < mostFindings:
		s.Findings = append(s.Findings, Finding{s.File, line, column, cut(field, mostText), cut(fmt.Sprintf(format, args...), mostText)})
		s.marked[place{line, column}] = true
	case found == mostFindings:
		s.Findings = append(s.Findings, Finding{File: s.File, Message: fmt.Sprintf("only the first %d faults found are listed", mostFindings)})
	}
}

// Full reports whether so many faults were found that no more are reported, so that
// looking for them is in vain.
func (s *Document) Full() bool { return len(s.Findings) > mostFindings }

// parse reads the YAML tree; false when there is none to go on with.
func (s *Document) parse() bool {
	if len(s.Text) > MostBytes {
		s.AddAt(1, 1, "", "the file has %d bytes; at most %d are read", len(s.Text), MostBytes)
		return false
	}
	if line, column, ok := s.unprintable(); !ok {
		s.AddAt(line, column, "", "this character is no valid UTF-8 text, or ends a line other than with a line feed")
		return false
	}
	root, err := Only(s.Text)
	var second *SecondError
	switch {
	case errors.As(err, &second):
		s.AddAt(second.Line, second.Column, "", "%v", second)
	case err != nil:
		s.syntax(err)
	case root == nil:
		s.AddAt(1, 1, "", "the file is empty")
	}
	s.Root = root
	return root != nil
}

// SecondError says where another document begins behind the only one that may be there.
type SecondError struct{ Line, Column int } // both from 1

func (*SecondError) Error() string {
	return "a second document begins here; the file must have one only"
}

// Only reads the one document of a text of YAML; nil if there is none. The error is a
// *SecondError or one of the YAML reader (see [NotYAML]); the document comes with it if
// the fault is behind it.
func Only(text string) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(strings.NewReader(text))
	var content, second yaml.Node
	if err := decoder.Decode(&content); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	err := decoder.Decode(&second)
	if err == nil {
		err = &SecondError{max(second.Line, 1), max(second.Column, 1)}
	} else if errors.Is(err, io.EOF) {
		err = nil
	}
	return content.Content[0], err
}

// unprintable finds bytes that are no text, and the line ends that YAML knows
// besides the line feed: they would make two readers count lines differently.
func (s *Document) unprintable() (line, column int, ok bool) {
	line, column = 1, 1
	for i, r := range s.Text {
		switch r {
		case '\n':
			line, column = line+1, 0
		case '\r', '\u0085', '\u2028', '\u2029', '\uFEFF':
			return line, column, false
		case utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(s.Text[i:]); size == 1 {
				return line, column, false
			}
		}
		column++
	}
	return 0, 0, true
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// yamlParser knows the errors that the YAML library finds above its scanner.
var yamlParser = regexp.MustCompile(`^did not find expected (node content|key|'-' indicator|',' or|<)`)

// yamlTab knows the errors that a tab before the text of a line may bring about.
var yamlTab = regexp.MustCompile(`tab character|cannot start any token`)

// tabbed finds the first line that a tab indents.
var tabbed = regexp.MustCompile(`(?m)^ *\t`)

// NotYAML tells of an error of the YAML reader on which line of the text it is, from 1, and what is wrong there.
func NotYAML(text string, err error) (line int, message string) {
	line, message = 1, err.Error()
	if m := yamlLine.FindStringSubmatch(message); m != nil {
		message = m[2]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
		if yamlParser.MatchString(message) {
			line++ // the library counts these from 0
		}
	}
	if tab := tabbed.FindStringIndex(text); tab != nil && yamlTab.MatchString(message) {
		return 1 + strings.Count(text[:tab[0]], "\n"), "a tab indents it, where YAML takes spaces alone"
	}
	return min(max(line, 1), 1+strings.Count(text, "\n")), message
}

// syntax reports an error of the YAML reader, which knows the line only.
func (s *Document) syntax(err error) {
	line, message := NotYAML(s.Text, err)
	lines := strings.Split(s.Text, "\n")
	indent := len(lines[line-1]) - len(strings.TrimLeft(lines[line-1], " "))
	s.AddAt(line, indent+1, "", "not YAML: %s", message)
}

// duplicates reports keys that are given twice; the reader would keep the last
// without a word.
func (s *Document) duplicates(n *yaml.Node) {
	seen := map[string]int{}
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && child.Kind == yaml.ScalarNode {
			if first, twice := seen[child.Value]; twice {
				s.AddAt(child.Line, child.Column, child.Value, "given twice; the first is in line %d", first)
			} else {
				seen[child.Value] = child.Line
			}
		}
		s.duplicates(child)
	}
}

var yamlPlace = regexp.MustCompile(`^:(\d+):(\d+) `)

// fields reads the tree into the message.
func (s *Document) fields(into proto.Message) {
	options := protoyaml.UnmarshalOptions{CustomUnmarshaler: spelling{s}}
	err := options.Unmarshal([]byte(s.Text), into)
	var all interface{ Unwrap() []error }
	if !errors.As(err, &all) {
		if err != nil {
			s.AddAt(1, 1, "", "%v", err)
		}
		return
	}
	for _, err := range all.Unwrap() {
		if s.Full() {
			return // each of these errors takes long to tell its place
		}
		line, column := 1, 1
		if m := yamlPlace.FindStringSubmatch(err.Error()); m != nil {
			line, _ = strconv.Atoi(m[1])
			column, _ = strconv.Atoi(m[2])
		}
		if cause := errors.Unwrap(err); cause != nil {
			err = cause
		}
		text := err.Error()
		if meant := s.meant[place{line, column}]; meant != "" {
			text, _, _ = strings.Cut(text, ", expected one of")
			text += meant
		}
		s.AddAt(line, column, s.fieldAt(line, column), "%s", text)
	}
}

// validator knows the rules that the schema states; building it is slow.
var validator = sync.OnceValues(func() (protovalidate.Validator, error) { return protovalidate.New() })

// rules checks what the schema says of each field. A field that could not be
// read has been reported already.
func (s *Document) rules(message proto.Message) {
	unread := maps.Clone(s.marked)
	v, err := validator()
	if err == nil {
		err = v.Validate(message)
	}
	var broken *protovalidate.ValidationError
	if err != nil && !errors.As(err, &broken) {
		s.AddAt(1, 1, "", "%v", err)
		return
	}
	if broken == nil {
		return
	}
	for _, violation := range broken.Violations {
		if s.Full() {
			return
		}
		p := pathOf(violation.Proto.GetField())
		line, column := s.Place(p)
		if violation.Proto.GetForKey() {
			line, column = s.PlaceOfKey(p)
		}
		if !unread[place{line, column}] {
			s.AddAt(line, column, p.String(), "%s", violation.Proto.GetMessage())
		}
	}
}

func pathOf(field *validate.FieldPath) (p Path) {
	for _, e := range field.GetElements() {
		p = append(p, e.GetFieldName())
		switch e.WhichSubscript() {
		case validate.FieldPathElement_Index_case:
			p = append(p, int(e.GetIndex()))
		case validate.FieldPathElement_StringKey_case:
			p = append(p, Key(e.GetStringKey()))
		}
	}
	return p
}
