package monitoring

import (
	"slices"
	"strings"
	"testing"
	"unicode"
)

// parts are what a query names: the series that it selects, without ranges, and
// the labels that it groups or joins by.
type parts struct{ selectors, labels []string }

// grouping are the words before a list of labels.
var grouping = []string{"by", "without", "on", "ignoring", "group_left", "group_right"}

// operators are words that name nothing.
var operators = []string{"and", "or", "unless", "bool", "offset"}

// takeApart reads a query of PromQL that is known to be well-formed.
func takeApart(expr string) (p parts) {
	for i := 0; i < len(expr); {
		switch c := expr[i]; {
		case c == '"' || c == '[':
			i = after(expr, i)
		case unicode.IsDigit(rune(c)):
			i += word(expr[i:])
		case word(expr[i:]) > 0:
			name := expr[i : i+word(expr[i:])]
			i += len(name)
			next := i + len(expr[i:]) - len(strings.TrimLeft(expr[i:], " \n"))
			switch {
			case slices.Contains(operators, name), slices.Contains(grouping, expr[next:next+word(expr[next:])]): // sum by (…)
			case slices.Contains(grouping, name):
				end := after(expr, next)
				for label := range strings.SplitSeq(expr[next+1:end-1], ",") {
					p.labels = append(p.labels, strings.TrimSpace(label))
				}
				i = end
			case next < len(expr) && expr[next] == '(': // a function
			case next < len(expr) && expr[next] == '{':
				i = after(expr, next)
				p.selectors = append(p.selectors, name+expr[next:i])
			default:
				p.selectors = append(p.selectors, name)
			}
		default:
			i++
		}
	}
	p.labels = slices.DeleteFunc(p.labels, func(l string) bool { return l == "" })
	return p
}

// word is how long the name, number or duration is that a text begins with.
func word(text string) int {
	end := strings.IndexFunc(text, func(r rune) bool { return r != '_' && r != ':' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if end < 0 {
		return len(text)
	}
	return end
}

// after is the place behind what a quote or a bracket opens.
func after(expr string, at int) int {
	closing := map[byte]byte{'"': '"', '[': ']', '{': '}', '(': ')'}[expr[at]]
	for i := at + 1; i < len(expr); i++ {
		switch {
		case expr[i] == closing:
			return i + 1
		case expr[at] != '"' && expr[i] == '"':
			i = after(expr, i) - 1
		case expr[at] == '"' && expr[i] == '\\':
			i++
		}
	}
	return len(expr)
}

func TestTakeApart(t *testing.T) {
	got := takeApart(`sum by (job, le) (rate(a_total{x="b{c}", y=~"d[.].*"}[5m] offset 1h)) / on (job) group_left () max(z:sum) > bool 14.4 * 1e3 or time() - up`)
	if want := []string{`a_total{x="b{c}", y=~"d[.].*"}`, "z:sum", "up"}; !slices.Equal(got.selectors, want) {
		t.Errorf("selects %q, want %q", got.selectors, want)
	}
	if want := []string{"job", "le", "job"}; !slices.Equal(got.labels, want) {
		t.Errorf("groups by %q, want %q", got.labels, want)
	}
}
