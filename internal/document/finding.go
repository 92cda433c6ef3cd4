package document

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Finding is one fault of a file, and where it stands.
type Finding struct {
	File    string
	Line    int    // from 1; 0 when it is about the file as a whole
	Column  int    // from 1, in characters
	Field   string // path of the field, such as risk.bands.high.value; empty for the file as a whole
	Message string // what is wrong, and what would be right
}

// String gives the finding in one line, as compilers do: file:line:column: field: message.
func (f Finding) String() string {
	switch {
	case f.Line == 0:
		return f.File + ": " + f.Message
	case f.Field == "":
		return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s: %s", f.File, f.Line, f.Column, f.Field, f.Message)
}

// How much is said of a file, however much is wrong with it.
const (
	mostFindings = 200
	mostText     = 2000 // bytes of a field, and of a message
	mostStep     = 200  // bytes of one name in a path
)

// cut shortens what is too long.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// Findings are the faults of a file, in the order of its lines.
type Findings []Finding

// Error gives one finding a line.
func (fs Findings) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// Err is the findings as an error; nil when there are none.
func (fs Findings) Err() error {
	if len(fs) == 0 {
		return nil
	}
	return fs
}

// Sorted puts findings in the order of the file, with those about the whole last,
// and drops repetitions.
func (fs Findings) Sorted() Findings {
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(uint(a.Line-1), uint(b.Line-1)), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(fs)
}

// Count says how many there are, such as "3 faults".
func (fs Findings) Count() string {
	switch n := len(fs); {
	case n > 0 && fs[n-1].Line == 0:
		return fmt.Sprintf("more than %d faults", n-1)
	case n == 1:
		return "1 fault"
	default:
		return fmt.Sprintf("%d faults", n)
	}
}

// Path leads to a field: a name, an index of a list, or a key of a map at each step.
type Path []any

// Key is a step into a map.
type Key string

// To is the path extended by steps.
func (p Path) To(steps ...any) Path { return append(p[:len(p):len(p)], steps...) }

// String writes the path as protovalidate does: a.b[2].c["x"].
func (p Path) String() string {
	var b strings.Builder
	for _, step := range p {
		switch step := step.(type) {
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(cut(step, mostStep))
		case int:
			fmt.Fprintf(&b, "[%d]", step)
		case Key:
			b.WriteString("[" + strconv.Quote(cut(string(step), mostStep)) + "]")
		}
	}
	return b.String()
}
