package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// found is a record as a test sees it.
type found struct {
	Line int
	Text string
	Err  string
}

func readAll(text string) []found {
	var list []found
	for r := range records(strings.NewReader(text)) {
		f := found{Line: r.line, Text: string(r.raw)}
		if r.err != nil {
			f.Err = r.err.Error()
		}
		list = append(list, f)
	}
	return list
}

func TestRecords(t *testing.T) {
	for name, row := range map[string]struct {
		text string
		want []found
	}{
		"nothing":                    {"", nil},
		"blank lines":                {"\n \n\t\n", nil},
		"one object":                 {`{"a":1}`, []found{{1, `{"a":1}`, ""}}},
		"one a line":                 {"{\"a\":1}\n{\"a\":2}\n", []found{{1, `{"a":1}`, ""}, {2, `{"a":2}`, ""}}},
		"blank lines count":          {"\n\n{\"a\":1}\n\n{\"a\":2}", []found{{3, `{"a":1}`, ""}, {5, `{"a":2}`, ""}}},
		"carriage returns":           {"{\"a\":1}\r\n{\"a\":2}\r\n", []found{{1, "{\"a\":1}", ""}, {2, "{\"a\":2}", ""}}},
		"a mark of byte order":       {"\xef\xbb\xbf{\"a\":1}", []found{{1, `{"a":1}`, ""}}},
		"an object over lines":       {"{\n \"a\": {\n  \"b\": 1\n }\n}\n{\"a\":2}", []found{{1, "{\n \"a\": {\n  \"b\": 1\n }\n}", ""}, {6, `{"a":2}`, ""}}},
		"an array":                   {`[{"a":1},{"a":2}]`, []found{{1, `{"a":1}`, ""}, {1, `{"a":2}`, ""}}},
		"an array over lines":        {"\n[\n {\"a\":1},\n {\n  \"a\": 2\n }\n]\n", []found{{3, `{"a":1}`, ""}, {4, "{\n  \"a\": 2\n }", ""}}},
		"an empty array":             {"[]", nil},
		"a line that is no JSON":     {"{\"a\":1}\nhello\n{\"a\":2}", []found{{1, `{"a":1}`, ""}, {2, "hello", "no JSON"}, {3, `{"a":2}`, ""}}},
		"a line cut off":             {"{\"a\":1}\n{\"a\":\n{\"a\":3}", []found{{1, `{"a":1}`, ""}, {2, `{"a":`, "no JSON"}, {3, `{"a":3}`, ""}}},
		"the last line cut off":      {"{\"a\":1}\n{\"a\":", []found{{1, `{"a":1}`, ""}, {2, `{"a":`, "no JSON"}}},
		"two objects on one line":    {"{\"a\":1} {\"a\":2}\n{\"a\":3}", []found{{1, `{"a":1} {"a":2}`, "no JSON"}, {2, `{"a":3}`, ""}}},
		"a fault deep in an object":  {"{\n \"a\": 1,\n oops\n}\n{\"a\":2}", []found{{3, "{\n \"a\": 1,\n oops\n}", "no JSON"}, {5, `{"a":2}`, ""}}},
		"a fault in an array":        {"[{\"a\":1},\n{\"a\":},\n{\"a\":3}]", []found{{1, `{"a":1}`, ""}, {2, "", "nothing from here on was read"}}},
		"an array that is not ended": {"[{\"a\":1}\n", []found{{1, `{"a":1}`, ""}, {2, "", "not closed"}}},
		"values that are no objects": {"1\n\"x\"\n", []found{{1, "1", ""}, {2, `"x"`, ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := readAll(row.text)
			for i, f := range got {
				if i < len(row.want) && row.want[i].Err != "" && strings.Contains(f.Err, row.want[i].Err) {
					got[i].Err = row.want[i].Err
				}
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRecordTooLong(t *testing.T) {
	got := readAll("{\"a\":1}\n{\"a\":\"" + strings.Repeat("x", mostRecordBytes) + "\"}\n")
	if len(got) != 2 || got[1].Line != 2 || !strings.Contains(got[1].Err, "longer than") {
		t.Errorf("%d records, the last %.80v", len(got), got[len(got)-1].Err)
	}
	long := readAll("{\n" + strings.Repeat(" \n", mostRecordBytes) + "}\n{\"a\":1}\n")
	if last := long[len(long)-1]; last.Text != `{"a":1}` || last.Err != "" {
		t.Errorf("an endless object swallows what comes after: %.80v", last)
	}
}

type faultyReader struct{ text string }

func (f *faultyReader) Read(p []byte) (int, error) {
	if f.text == "" {
		return 0, errors.New("disk on fire")
	}
	n := copy(p, f.text)
	f.text = f.text[n:]
	return n, nil
}

func TestReadingFails(t *testing.T) {
	for _, text := range []string{"", "{\"a\":1}\n", "[{\"a\":1},"} {
		var last error
		for r := range records(&faultyReader{text}) {
			last = r.err
		}
		if last == nil || !strings.Contains(last.Error(), "disk on fire") {
			t.Errorf("after %q: %v", text, last)
		}
	}
}

// However objects are laid out, the same come out, each with the line on which it begins; a broken line takes none with it.
func TestAnyLayout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var text strings.Builder
		var want []found
		line := 1
		for range rapid.IntRange(0, 20).Draw(t, "objects") {
			object := map[string]any{"id": rapid.String().Draw(t, "id"), "more": map[string]any{"n": rapid.Int32().Draw(t, "n")}}
			raw, _ := json.Marshal(object)
			switch rapid.SampledFrom([]string{"line", "pretty", "broken", "blank"}).Draw(t, "layout") {
			case "pretty":
				raw, _ = json.MarshalIndent(object, "", "  ")
				fallthrough
			case "line":
				want = append(want, found{Line: line, Text: string(raw)})
			case "broken":
				raw = raw[:rapid.IntRange(1, len(raw)-1).Draw(t, "cut")]
				want = append(want, found{Line: line, Text: strings.TrimRight(string(raw), " \t\r\n"), Err: "no JSON"})
			case "blank":
				raw = nil
			}
			text.Write(raw)
			text.WriteByte('\n')
			line += strings.Count(string(raw), "\n") + 1
		}
		got := readAll(text.String())
		for i, f := range got {
			if strings.HasPrefix(f.Err, "no JSON") {
				got[i].Err = "no JSON"
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s\nof %q", diff, text.String())
		}
	})
}
