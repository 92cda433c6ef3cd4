package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/document"
)

// many is files of the largest size with faults everywhere.
func many() map[string]string {
	fill := func(head string, line func(i int) string) string {
		b := strings.Builder{}
		b.WriteString(head)
		for i := 0; ; i++ {
			if l := line(i); b.Len()+len(l) < document.MostBytes-10 {
				b.WriteString(l)
				continue
			}
			return b.String()
		}
	}
	long := strings.Repeat("x", document.MostBytes/2)
	return map[string]string{
		"unknown fields":  fill("", func(i int) string { return fmt.Sprintf("k%d: 1\n", i) }),
		"fields below":    fill("severity:\n", func(i int) string { return fmt.Sprintf(" k%d: 1\n", i) }),
		"the same field":  fill("", func(int) string { return "title: x\n" }),
		"JSON names":      fill("", func(int) string { return "defaultCurrency: x\n" }),
		"empty items":     fill("menu:\n", func(int) string { return "- {}\n" }),
		"items of a flow": fill("menu: [", func(int) string { return "{}," }) + "]",
		"unknown grades":  fill("severity: {late: [", func(int) string { return "{grade: Z}," }) + "]}",
		"currencies":      fill("currencies: {table: {", func(i int) string { return fmt.Sprintf("c%d: {},", i) }) + "}}",
		"conditions":      fill("menu:\n", func(i int) string { return fmt.Sprintf("- {id: i%d, text: x, medium: MONEY, when: y}\n", i) }),
		"long conditions": fill("menu:\n", func(i int) string {
			return fmt.Sprintf("- {id: i%d, text: x, medium: MONEY, when: '[%sy]'}\n", i, strings.Repeat("y,", 400))
		}),
		"holidays of a long name":   fill("calendars:\n  ? "+long+"\n  : {holidays: [", func(int) string { return "{}," }) + "]}",
		"unknown below a long name": fill("calendars:\n  ? "+long+"\n  : {", func(i int) string { return fmt.Sprintf("k%d: 1,", i) }) + "}",
		"deep":                      strings.Repeat("[", 9000) + strings.Repeat("]", 9000),
		"deep maps":                 "menu: " + strings.Repeat("[{a: ", 4000) + strings.Repeat("}]", 4000),
		"long value":                "menu: [{medium: " + long + "}]",
	}
}

// TestManyFaults: however much is wrong with a file, it is read in a few seconds and
// what is said of it finds room in an answer.
func TestManyFaults(t *testing.T) {
	for name, text := range many() {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			_, findings := Parse("policy", []byte(text))
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("read in %s", took)
			}
			if n := len(findings.Error()); len(findings) == 0 || len(findings) > 201 || n > 1<<20 {
				t.Errorf("%d findings in %d bytes", len(findings), n)
			}
			if last := findings[len(findings)-1]; len(findings) > 200 && (last.Line != 0 || !strings.Contains(last.Message, "first 200")) {
				t.Errorf("the last of %d is %s", len(findings), last)
			}
		})
	}
}

// TestNotTooManyFaults: as many as can be listed are listed, and nothing besides.
func TestNotTooManyFaults(t *testing.T) {
	for n, want := range map[int]string{1: "1 fault", 200: "200 faults", 201: "more than 200 faults"} {
		text := DefaultYAML()
		for i := range n {
			text = fmt.Appendf(text, "k%d: 1\n", i)
		}
		if _, findings := Parse("policy", text); findings.Count() != want || len(findings) != n {
			t.Errorf("%d findings, %s; want %d, %s", len(findings), findings.Count(), n, want)
		}
	}
}
