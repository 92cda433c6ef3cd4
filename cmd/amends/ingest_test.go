package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/show"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// history is a folder with one file of records.
func history(t *testing.T, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// positives are lines of good experiences, of ten customers.
func positives(from, to int) string {
	var text strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&text, `{"interaction":{"interactionId":"i-%d","customerId":"c-%d","occurredAt":"2025-05-02T18:40:00Z","kind":"PRAISE"}}`+"\n", i, i%10)
	}
	return text.String()
}

// summary is what -o json says of the only file.
func summary(t *testing.T, o outcome) show.Load {
	t.Helper()
	var all struct{ Files []show.Load }
	if err := json.Unmarshal([]byte(o.stdout), &all); err != nil || len(all.Files) != 1 {
		t.Fatalf("the summary is %q (%v)\n%s", o.stdout, err, o.stderr)
	}
	return all.Files[0]
}

// counts are read, recorded, known from before, and refused.
func counts(l show.Load) [4]int { return [4]int{l.Read, l.Recorded, l.Replayed, l.Refused} }

func packed(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// entries are the lines of a file of rejects.
func entries(t *testing.T, path string) (list []reject) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var e reject
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		list = append(list, e)
	}
	return list
}

func gone(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s is left", path)
		}
	}
}

// The examples are sound, count once, and are the same packed and piped.
func TestIngestExamples(t *testing.T) {
	server := service(t)
	files := []string{"../../examples/history.csv", "../../examples/history.ndjson"}
	dry := amends(t, append([]string{"ingest", "--dry-run"}, files...)...)
	var dried struct{ Files []show.Load }
	if err := json.Unmarshal([]byte(amends(t, append([]string{"ingest", "--dry-run", "-o", "json"}, files...)...).stdout), &dried); err != nil ||
		dried.Files[0].Recorded != 0 || dried.Files[0].Sound != 7 {
		t.Errorf("for machines it is %+v, %v", dried, err)
	}
	if !strings.Contains(dry.stdout, "in less than 1 s") {
		t.Errorf("how long it took is said as\n%s", dry.stdout)
	}
	if !strings.Contains(dry.stdout, "all") || strings.Contains(dry.stderr, ":") {
		t.Errorf("checked:\n%s%s", dry.stdout, dry.stderr)
	}
	first := amends(t, append([]string{"ingest", "--server", server}, files...)...)
	if !strings.Contains(strings.Join(strings.Fields(first.stdout), " "), "all 11 11 0 0") {
		t.Errorf("taken in:\n%s%s", first.stdout, first.stderr)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	again := command{stdin: bytes.NewReader(packed(t, string(text)))}.works(t, "ingest", "--server", server, "-", "-o", "json")
	if got := counts(summary(t, again)); got != [4]int{7, 0, 7, 0} {
		t.Errorf("sent again, packed: %v", got)
	}
	answer := parse(t, amends(t, "cases", "--server", server, "--customer", "c-2001", "-o", "json").stdout, &recoveryv1.Case{})
	f := answer.GetFailures()[0]
	if v := f.GetOrderValue(); v.GetUnits() != 18 || v.GetNanos() != 500_000_000 || v.GetCurrencyCode() != "GBP" || len(f.GetKinds()) != 2 ||
		f.GetDelay().AsDuration() != 45*time.Minute || f.GetAcceptance() != recoveryv1.Acceptance_ACCEPTANCE_REJECTED {
		t.Errorf("the failure of the table became %v", f)
	}
	gone(t, files[0]+".progress", files[0]+".rejects.ndjson")
}

// The help names every column that there is, as the contract has it.
func TestIngestColumns(t *testing.T) {
	for k, columns := range columnNames {
		for _, c := range columns {
			if name := string(c.path[len(c.path)-1].Name()); !regexp.MustCompile(`[ \n]` + name + `[,\n]`).MatchString(ingestHelp) {
				t.Errorf("the help does not name %s, a column of type %s", name, k)
			}
		}
	}
}

// However a file is written, what it says comes through.
func TestIngestLayouts(t *testing.T) {
	server := service(t)
	table := "interaction_id,customer_id,occurred_at,kind\nt-1,c-1,2025-05-02T18:40:00Z,PRAISE\nt-2,c-1,2025-05-02T20:40:00+02:00,referral\n"
	for name, row := range map[string]struct {
		file, text string
		want       [4]int
	}{
		"empty":                 {"a.ndjson", "", [4]int{}},
		"an empty table":        {"a.csv", "", [4]int{}},
		"a header alone":        {"a.csv", "event_id,customer_id\n", [4]int{}},
		"an array":              {"a.json", "[" + strings.ReplaceAll(strings.TrimSpace(positives(100, 102)), "\n", ",\n") + "]", [4]int{2, 2, 0, 0}},
		"ends of DOS":           {"a.csv", strings.ReplaceAll(strings.ReplaceAll(table, "t-", "d-"), "\n", "\r\n"), [4]int{2, 2, 0, 0}},
		"a mark of byte order":  {"a.csv", "\xef\xbb\xbf" + strings.ReplaceAll(table, "t-", "m-"), [4]int{2, 2, 0, 0}},
		"semicolons":            {"a.csv", strings.ReplaceAll(strings.ReplaceAll(table, "t-", "s-"), ",", ";"), [4]int{2, 2, 0, 0}},
		"tabs, other name":      {"a.txt", strings.ReplaceAll(strings.ReplaceAll(table, "t-", "tab-"), ",", "\t"), [4]int{2, 2, 0, 0}},
		"no last line end":      {"a.csv", strings.TrimSpace(strings.ReplaceAll(table, "t-", "n-")), [4]int{2, 2, 0, 0}},
		"names of JSON, quoted": {"a.csv", "\"Interaction ID\",customerId,Occurred-At,kind\n\"q-1\",\"c,1\",2025-05-02T18:40:00Z,PRAISE\n", [4]int{1, 1, 0, 0}},
		"the same id twice":     {"a.ndjson", positives(200, 201) + positives(200, 201), [4]int{2, 1, 1, 0}},
		"kind beside delay":     {"a.csv", "id,customer_id,occurred_at,kind,delay,currency\nk-1,c-1,2025-05-02T18:40:00Z,LATE,45m,\n", [4]int{1, 1, 0, 0}},
		"a column of currency":  {"a.csv", "event_id,customer_id,occurred_at,kinds,order_value,currency\nv-1,c-1,2025-05-02T18:40:00Z,LATE,18.50,gbp\n", [4]int{1, 1, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			o := amends(t, "ingest", "--server", server, "-o", "json", history(t, row.file, row.text))
			if got := counts(summary(t, o)); got != row.want {
				t.Errorf("%v, want %v\n%s", got, row.want, o.stderr)
			}
		})
	}
}

// A file that cannot be understood as a whole is refused with what to do about it, and nothing of it is sent.
func TestIngestRefusesFiles(t *testing.T) {
	for name, row := range map[string]struct {
		file, text string
		words      []string
	}{
		"UTF-16":           {"a.csv", "\xff\xfee\x00v\x00", []string{"UTF-16", "iconv"}},
		"no such column":   {"a.csv", "event_id,custmer_id,colour\n", []string{"a.csv:1:", `"custmer_id" is not known (did you mean customer_id?)`, `"colour"`, "--help"}},
		"a column twice":   {"a.csv", "event_id,Event ID\n", []string{"there twice"}},
		"a field twice":    {"a.csv", "id,customer_id,event_id,kinds,customer\n", []string{"a.csv:1:", `"id" and "event_id" say the same`, `"customer" and "customer_id" say the same`, "leave one of them out"}},
		"twice for both":   {"a.csv", "type,id,event_id,interaction_id,order,order_id\n", []string{`"id" and "`, `"order" and "order_id" say the same`}},
		"nobody can tell":  {"a.csv", "customer_id,occurred_at\n", []string{"a column event_id or kinds makes them failures", "interaction_id or kind interactions", "column type"}},
		"JSON named table": {"a.csv", "hello\n", []string{`"hello" is not known`}},
		"half a pack":      {"a.gz", string(packed(t, positives(0, 5))[:8]), []string{"a.gz: ", "EOF"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := history(t, row.file, row.text)
			o := command{}.fails(t, exitUsage, row.words, "ingest", "--server", "127.0.0.1:1", path)
			if o.stdout != "" {
				t.Errorf("it says %q", o.stdout)
			}
			gone(t, path+".progress", path+".rejects.ndjson")
		})
	}
	command{}.fails(t, exitUsage, []string{"no such file"}, "ingest", "/none")
	command{}.fails(t, exitUsage, []string{"name a FILE"}, "ingest")
	path := history(t, "a.csv", "")
	command{}.fails(t, exitUsage, []string{"named twice"}, "ingest", path, "--rejects", path)
	command{}.fails(t, exitUsage, []string{"named twice"}, "ingest", path, path)
	for name, args := range map[string][]string{
		"both":                     {path, "--rejects", path + ".x", "--progress", path + ".x"},
		"by two ways":              {path, "--rejects", path + ".x", "--progress", filepath.Dir(path) + "/../" + filepath.Base(filepath.Dir(path)) + "/a.csv.x"},
		"the rejects by default":   {path, "--progress", path + ".rejects.ndjson"},
		"the progress by default":  {path, "--rejects", path + ".progress"},
		"a file that is written":   {path, path + ".progress"},
		"standard input, and both": {"-", "--rejects", path + ".x", "--progress", path + ".x"},
	} {
		t.Run(name, func(t *testing.T) {
			command{}.fails(t, exitUsage, []string{"named twice"}, append([]string{"ingest", "--server", "127.0.0.1:1"}, args...)...)
		})
	}
	command{}.fails(t, exitUsage, []string{"for one FILE"}, "ingest", path, "x", "--rejects", "y")
	gone(t, path+".progress")
	o := command{}.fails(t, exitUnavailable, []string{"no service answers at 127.0.0.1:1"},
		"ingest", "--server", "127.0.0.1:1", history(t, "b.ndjson", positives(0, 3)))
	if o.stdout != "" || strings.Contains(o.stderr, "goes on") {
		t.Errorf("it says %q, %q", o.stdout, o.stderr)
	}
}

// Whatever is wrong with a record is told at once and costs nothing but that record, which is kept to be mended and sent again.
func TestIngestRejects(t *testing.T) {
	server := service(t)
	lines := []string{
		strings.TrimSpace(positives(0, 1)),
		`not json`,
		`{"eventId":"e-3","customerId":"c-1","occurredAt":"2025-05-02T18:40:00Z","kinds":["LATE"],"colour":"red","orderValue":{"units":"ten"}}`,
		`{"failure":{"eventId":"e-4","severity":7}}`,
		`{"customerId":"c-1"}`,
		`{"interaction":{"interactionId":"` + strings.Repeat("x", 2<<20) + `"}}`,
		strings.TrimSpace(positives(1, 2)),
		`{"interactionId":"i-1","customerId":"c-1","occurredAt":"2025-05-03T18:40:00Z","kind":"PRAISE"}`, // with another content
		strings.TrimSpace(positives(2, 3)),
	}
	path := history(t, "day.ndjson", strings.Join(lines, "\n")+"\n")
	kept := path + ".rejects.ndjson"
	o := command{}.fails(t, exitUsage, []string{
		path + ":2: no JSON", path + `:3: unknown field "colour"`, path + ":3: invalid value for int64 field units", path + ":4: customer_id: must not be empty\n", path + ":4: kinds: must not be empty\n", path + ":4: severity: ",
		path + ":5: this may be a failure or an interaction; write {", path + ":6: no JSON: longer than", path + ":8: ALREADY_EXISTS",
		"customer data", "amends ingest " + kept, "6 of 9 records were refused",
	}, "ingest", "--server", server, "-o", "json", path)
	if got := counts(summary(t, o)); got != [4]int{9, 3, 0, 6} {
		t.Errorf("counts %v\n%s", got, o.stderr)
	}
	gone(t, path+".progress")
	list := entries(t, kept)
	if len(list) != 6 || list[0].Line != 2 || string(list[0].Text) != `"not json"` || string(list[2].Record) != lines[3] || len(list[2].Reasons) < 3 ||
		len(list[4].Text) > 2000 {
		t.Errorf("kept are %.3000v", list)
	}
	if info, err := os.Stat(kept); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the rejects may be read by %v, %v", info.Mode(), err)
	}
	command{}.fails(t, exitUsage, []string{"from an earlier run"}, "ingest", "--server", server, path)

	text, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	mended := strings.NewReplacer(`,"colour":"red","orderValue":{"units":"ten"}`, "", `"severity":7`, `"severity":0.7,"customerId":"c-1","occurredAt":"2025-05-02T18:40:00Z","kinds":["RUDE"]`,
		`"text":"not json"`, `"record":`+strings.TrimSpace(positives(3, 4))).Replace(string(text))
	if err := os.WriteFile(kept, []byte(mended), 0o600); err != nil {
		t.Fatal(err)
	}
	o = command{}.fails(t, exitUsage, nil, "ingest", "--server", server, "-o", "json", kept)
	if got := counts(summary(t, o)); got != [4]int{6, 3, 0, 3} {
		t.Errorf("mended, %v\n%s", got, o.stderr)
	}
	if again := entries(t, path+".rejects-2.ndjson"); len(again) != 3 || string(again[0].Record) != lines[4] {
		t.Errorf("kept once more are %v", again)
	}
}

// A file that is there is not overwritten with what is refused, whatever its name: of standard input it may be the only copy.
func TestIngestOverwritesNothing(t *testing.T) {
	server := service(t)
	kept := filepath.Join(t.TempDir(), "refused.ndjson")
	if err := os.WriteFile(kept, nil, 0o600); err != nil { // as mktemp makes it
		t.Fatal(err)
	}
	piped := func() command { return command{stdin: strings.NewReader(`{"customerId":"c-1"}`)} }
	piped().fails(t, exitUsage, []string{"1 of 1 records were refused"}, "ingest", "--server", server, "-", "--rejects", kept)
	first, err := os.ReadFile(kept)
	if err != nil || len(first) == 0 {
		t.Fatal(err, first)
	}
	for name, args := range map[string][]string{
		"once more": {"--server", "127.0.0.1:1"}, // nobody is called
		"anew":      {"--server", "127.0.0.1:1", "--restart"},
		"dry":       {"--dry-run"},
	} {
		t.Run(name, func(t *testing.T) {
			piped().fails(t, exitUsage, []string{kept + " is there from an earlier run", "amends ingest " + kept, "move it away", "--rejects"},
				append([]string{"ingest", "-", "--rejects", kept}, args...)...)
			if now, err := os.ReadFile(kept); err != nil || !bytes.Equal(now, first) {
				t.Errorf("%v, it holds %s; want %s", err, now, first)
			}
		})
	}
}

// A load that goes on with a file that is none of its own adds to it alone.
func TestIngestGoesOnWithAnotherFile(t *testing.T) {
	path := history(t, "list.txt", "one\ntwo, without an end")
	r := &rejects{path: path}
	if changed, err := r.goOn(&note{Line: 7, RejectsHash: r.hash()}); changed || err != nil {
		t.Fatal(changed, err)
	}
	if err := errors.Join(r.add(reject{File: "a", Line: 8}), r.close()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if want := "one\ntwo, without an end\n{\"file\":\"a\",\"line\":8,\"reasons\":null}\n"; err != nil || string(text) != want {
		t.Errorf("%v, it holds %s; want %s", err, text, want)
	}
}

// All faults of a row are named, and a row that was mended is taken in as it stands among the rejects.
func TestIngestRows(t *testing.T) {
	server := service(t)
	table := strings.Join([]string{
		"type,id,customer_id,occurred_at,kind,order_value,delay,reach,recurring,severity",
		"failure,e-1,c-1,2025-05-02T18:40:00Z,LATE|QUALITY,18.50 GBP,45m,900,true,0.5",
		`failure,e-2,c-1,2025-05-02 18:40,LATEE,"18,50 GBP",45,many,perhaps,bad`,
		"interaction,i-3,c-1,2025-05-02T18:40:00Z,PRAISE,18.50 GBP,,,,",
		"praise,i-4,c-1,2025-05-02T18:40:00Z,PRAISE,,,,,",
		`failure,"e-5,c-1,2025-05-02T18:40:00Z,LATE,,,,,`,
		"failure,e-6,c-1,2025-05-02T18:40:00Z,LATE,,,,,,,too,many",
		"failure,e-7,c-1,2025-05-02T18:40:00Z,LATE,18.505 GBP,,,,",
		"failure,e-8,caf\xe9,2025-05-02T18:40:00Z,LATE,,,,,",
		"failure,,c-1,2025-05-02T18:40:00Z,LATE,,,,,",
		"interaction,i-11,c-1,2025-05-02T18:40:00Z,PRAISE,,,,,",
	}, "\n")
	path := history(t, "table.csv", table)
	words := []string{
		":3: occurred_at: ", ":3: kind: \"LATEE\" is not one of", "did you mean LATE?", ":3: order_value: \"18,50 GBP\": write an amount",
		":3: delay: ", ":3: reach: ", ":3: recurring: ", ":3: severity: ", ":4: order_value: records of type interaction have no such column", ":5: type: \"praise\"",
		":6: no CSV: character ", ":7: 13 cells, where the header has 10", ":9: no UTF-8", ":10: event_id: must not be empty",
	}
	dry := command{}.fails(t, exitUsage, words, "ingest", "--dry-run", path)
	gone(t, path+".rejects.ndjson", path+".progress")
	if !strings.Contains(strings.Join(strings.Fields(dry.stdout), " "), "10 3 7") {
		t.Errorf("checked:\n%s", dry.stdout)
	}
	o := command{}.fails(t, exitUsage, append(words, ":8: order_value: must have at most 2 decimals", "1 record without an id"), "ingest", "--server", server, "-o", "json", path)
	if got := counts(summary(t, o)); got != [4]int{10, 2, 0, 8} {
		t.Errorf("%v\n%s", got, o.stderr)
	}
	text, err := os.ReadFile(path + ".rejects.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	mended := strings.NewReplacer("2025-05-02 18:40", "2025-05-02T18:40:00Z", "LATEE", "late", "18,50", "18.50", `"45"`, `"45m"`, "many", "9", "perhaps", "no",
		`"bad"`, `"1"`, "18.505", "18.5", `"praise"`, `"interaction"`).Replace(string(text))
	mended = strings.ReplaceAll(mended, `"recurring":"no"`, `"recurring":"false"`)
	o = command{stdin: strings.NewReader(mended)}.fails(t, exitUsage, nil, "ingest", "--server", server, "-o", "json", "-")
	if got := counts(summary(t, o)); got != [4]int{8, 3, 0, 5} {
		t.Errorf("mended, %v\n%s", got, o.stderr)
	}
}

// What the header told is kept with a row that was refused, whose own cells may tell less.
func TestIngestRejectsKeepTheType(t *testing.T) {
	server := service(t)
	path := history(t, "a.csv", "customer_id,occurred_at,kind,delay\nc-1,2025-05-02 18:40,LATE,\n")
	command{}.fails(t, exitUsage, []string{":2: occurred_at: "}, "ingest", "--server", server, "--make-ids", path)
	text, err := os.ReadFile(path + ".rejects.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	mended := history(t, "mended.ndjson", strings.ReplaceAll(string(text), "02 18:40", "02T18:40:00Z"))
	if l := summary(t, amends(t, "ingest", "--server", server, "--make-ids", "-o", "json", mended)); counts(l) != [4]int{1, 1, 0, 0} {
		t.Errorf("mended, %+v", l)
	}
}

// Where both kinds are in one table, a column may be of use to one of them alone.
func TestIngestTwoColumnsOfAField(t *testing.T) {
	server := service(t)
	path := history(t, "both.csv", strings.Join([]string{
		"type,id,event_id,customer_id,occurred_at,kind,kinds",
		"failure,,e-1,c-1,2025-05-02T18:40:00Z,,LATE",
		"interaction,i-1,,c-1,2025-05-02T18:40:00Z,PRAISE,",
		"failure,x-1,e-2,c-1,2025-05-02T18:40:00Z,RUDE,LATE",
	}, "\n"))
	o := command{}.fails(t, exitUsage, []string{
		path + `:4: id: the column "event_id" says that of records of type failure; leave the cell empty`, path + `:4: kind: the column "kinds" says that`,
	}, "ingest", "--server", server, "-o", "json", path)
	if got := counts(summary(t, o)); got != [4]int{3, 2, 0, 1} {
		t.Errorf("%v\n%s", got, o.stderr)
	}
}

// Ids that are made of the content are the same for the same content.
func TestIngestMakesIDs(t *testing.T) {
	server := service(t)
	path := history(t, "a.csv", "customer_id,occurred_at,kind\nc-1,2025-05-02T18:40:00Z,PRAISE\nc-1,2025-05-02T18:40:00Z,PRAISE\nc-1,2025-05-02T18:40:01Z,PRAISE\n")
	o := command{}.fails(t, exitUsage, []string{"3 records without an id", "--make-ids"}, "ingest", "--server", server, path, "--rejects", path+".x")
	if !strings.Contains(o.stderr, "3 of 3") {
		t.Error(o.stderr)
	}
	o = amends(t, "ingest", "--server", server, "--make-ids", "-o", "json", path)
	if got := counts(summary(t, o)); got != [4]int{3, 2, 1, 0} {
		t.Errorf("%v, want the equal records to count once\n%s", got, o.stderr)
	}
}

// The default tenant is one whether a record, the command or nobody names it: so is the id that is made.
func TestIngestMakesIDsOfOneTenant(t *testing.T) {
	server := service(t)
	const praise, late = `"customerId":"c-1","occurredAt":"2025-05-02T18:40:00Z","kind":"PRAISE"}`, `"customerId":"c-1","occurredAt":"2025-05-02T18:40:00Z","kinds":["LATE"]}`
	unnamed := history(t, "a.ndjson", `{"interaction":{`+praise+"}\n"+`{"failure":{`+late+"}\n")
	named := history(t, "b.ndjson", `{"interaction":{"tenant":"default",`+praise+"}\n"+`{"failure":{"tenant":"default",`+late+"}\n")
	for n, row := range []struct {
		args []string
		want [4]int
	}{
		{[]string{unnamed}, [4]int{2, 2, 0, 0}},
		{[]string{unnamed, "--tenant", "default"}, [4]int{2, 0, 2, 0}},
		{[]string{named}, [4]int{2, 0, 2, 0}},
		{[]string{named, "--tenant", "other"}, [4]int{2, 0, 2, 0}},
		{[]string{unnamed, "--tenant", "other"}, [4]int{2, 2, 0, 0}},
	} {
		o := amends(t, append([]string{"ingest", "--server", server, "--make-ids", "-o", "json"}, row.args...)...)
		if got := counts(summary(t, o)); got != row.want {
			t.Errorf("%d: %v, want %v\n%s", n, got, row.want, o.stderr)
		}
	}
}

// Ids that were made stay the same with every version, or files that were taken in would count anew.
func TestIngestMakesTheSameIDs(t *testing.T) {
	for tenant, want := range map[string]string{"": "made-a0b4407f7196df94394c89cb0e5b8300", "other": "made-987ba2b9873182e19934ae668ac312bb"} {
		in := &intake{ingesting: &ingesting{makeIDs: true, tenant: tenant}}
		it := &item{record: record{raw: []byte(`{"customerId":"c-1","occurredAt":"2025-05-02T18:40:00Z","kinds":["LATE"]}`)}}
		if in.decode(it); it.err != nil || it.message.(*recoveryv1.IngestRequest).GetFailure().GetEventId() != want {
			t.Errorf("tenant %q: %v, %v; want %s", tenant, it.message, it.err, want)
		}
	}
}

// A pack that was cut off is taken in as far as it goes, without the line on which it was cut, and goes on when all of it is there.
func TestIngestOfHalfAPack(t *testing.T) {
	server := service(t)
	var text strings.Builder
	text.WriteString("interaction_id,customer_id,occurred_at,kind\n")
	for i := range 2000 {
		fmt.Fprintf(&text, "g-%d,c-%d,2025-05-02T18:40:00Z,PRAISE\n", i*7919, i%10)
	}
	whole := packed(t, text.String())
	path := history(t, "a.csv.gz", string(whole[:len(whole)/2]))
	o := command{}.fails(t, exitUsage, []string{"incomplete: unexpected EOF", "nothing from here on was read", "put the whole one in its place", "same command then goes on from there"}, "ingest", "--server", server, "-o", "json", path)
	half := summary(t, o)
	if half.Whole || half.Recorded < 500 || half.Recorded != half.Read || half.Refused != 0 {
		t.Errorf("of half a pack: %+v\n%s", half, o.stderr)
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	o = amends(t, "ingest", "--server", server, "-o", "json", path)
	if all := summary(t, o); counts(all) != [4]int{2000, 2000, 0, 0} || all.Earlier != half.Read || !all.Whole {
		t.Errorf("of the whole pack: %+v\n%s", all, o.stderr)
	}
	gone(t, path+".progress", path+".rejects.ndjson")
}

// So is an array, within a record or between two.
func TestIngestOfHalfAnArray(t *testing.T) {
	server := service(t)
	whole := "[" + strings.ReplaceAll(strings.TrimSpace(positives(500, 504)), "\n", ",\n") + "]"
	for _, cut := range []int{len(whole) * 5 / 8, strings.LastIndex(whole, ",\n")} {
		path := history(t, "a.json", whole[:cut])
		o := command{}.fails(t, exitUsage, []string{"incomplete: ", "put the whole one in its place"}, "ingest", "--server", server, "-o", "json", path)
		half := summary(t, o)
		if half.Whole || half.Read < 2 || half.Refused != 0 {
			t.Errorf("of half an array: %+v\n%s", half, o.stderr)
		}
		if err := os.WriteFile(path, []byte(whole), 0o600); err != nil {
			t.Fatal(err)
		}
		o = amends(t, "ingest", "--server", server, "-o", "json", path)
		if all := summary(t, o); all.Read != 4 || all.Recorded+all.Replayed != 4 || all.Earlier != half.Read || !all.Whole {
			t.Errorf("of the whole array: %+v\n%s", all, o.stderr)
		}
	}
}

// Files are taken in in their order: one that cannot be taken in to its end holds up those behind it, and a faulty record none.
func TestIngestSeveralFiles(t *testing.T) {
	server := service(t)
	good, bad, last := history(t, "good.ndjson", positives(400, 402)+"no JSON\n"), history(t, "bad.csv", "event_id,colour\n"), history(t, "last.ndjson", positives(402, 403))
	held := last + ": not begun, since " + bad + " did not come to its end"
	o := command{}.fails(t, exitUsage, []string{held, `"colour" is not known`, "1 of 3 records were refused"}, "ingest", "--server", server, good, bad, last)
	if !strings.Contains(o.stdout, "good.ndjson") || strings.Contains(o.stdout, "last.ndjson") {
		t.Errorf("it took in\n%s", o.stdout)
	}
	if err := os.Remove(good + ".rejects.ndjson"); err != nil {
		t.Fatal(err)
	}
	o = command{}.fails(t, exitUsage, []string{`"colour" is not known`}, "ingest", "--dry-run", bad, good, last)
	if !strings.Contains(o.stdout, "good.ndjson") || !strings.Contains(o.stdout, "last.ndjson") || strings.Contains(o.stderr, "not begun") {
		t.Errorf("a dry run looked at\n%s%s", o.stdout, o.stderr)
	}
	o = command{}.fails(t, exitUnavailable, []string{"last.ndjson: not begun, since " + good}, "ingest", "--server", "127.0.0.1:1", good, last)
	if strings.Contains(o.stdout, "last.ndjson") {
		t.Errorf("it took in\n%s", o.stdout)
	}
	faulty := history(t, "faulty.ndjson", "no JSON\n")
	o = command{}.fails(t, exitUsage, []string{"amends: 2 of 5 records were refused\n"}, "ingest", "--server", server, good, faulty, last)
	if !strings.Contains(o.stdout, "last.ndjson") || strings.Count(o.stderr, "were refused") != 1 {
		t.Errorf("beside refused records it took in\n%s%s", o.stdout, o.stderr)
	}
}

// A pipe with a name has nothing beside it, as standard input has not.
func TestIngestOfAPipe(t *testing.T) {
	server := service(t)
	text := positives(300, 302) + "no JSON\n"
	feed := func(path string) {
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
			return
		}
		_, err = file.WriteString(text)
		if err := errors.Join(err, file.Close()); err != nil {
			t.Error(err)
		}
	}
	path := filepath.Join(t.TempDir(), "pipe")
	if out, err := exec.Command("mkfifo", path).CombinedOutput(); err != nil {
		t.Skipf("there are no named pipes here: %v %s", err, out)
	}
	for name, flags := range map[string][]string{"nothing is kept": nil, "rejects are": {"--rejects", path + ".kept"}} {
		t.Run(name, func(t *testing.T) {
			go feed(path)
			o := command{}.fails(t, exitUsage, []string{path + ":3: no JSON", "1 of 3 records were refused"},
				append([]string{"ingest", "--server", server, "--format", "ndjson", "-o", "json", path}, flags...)...)
			if l := summary(t, o); counts(l)[0] != 3 || l.Refused != 1 {
				t.Errorf("%+v\n%s", l, o.stderr)
			}
			if strings.Contains(o.stderr, "cannot be kept") || strings.Contains(o.stderr, "kept nowhere: name a file for it with --rejects") != (flags == nil) {
				t.Error(o.stderr)
			}
			gone(t, path+".progress", path+".rejects.ndjson")
		})
	}
	if list := entries(t, path+".kept"); len(list) != 1 {
		t.Errorf("kept are %v", list)
	}
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	go func() {
		_, _ = out.WriteString(text)
		_ = out.Close()
	}()
	// As the shell names what <(program) writes.
	command{}.fails(t, exitUsage, []string{"1 of 3 records were refused"}, "ingest", "--server", server, "--format", "ndjson", fmt.Sprint("/dev/fd/", in.Fd()))

	ctx, interrupt := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer interrupt()
	if o := (command{ctx: ctx}).run("ingest", "--server", server, path); o.code != exitUnavailable || !strings.Contains(o.stderr, "interrupted") {
		t.Errorf("into which nobody writes: left with %d: %s", o.code, o.stderr)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0) // nobody waits for a writer any more
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
}

// Only records that have no id are told to have none, and each once.
func TestIngestCountsRecordsWithoutID(t *testing.T) {
	server := service(t)
	const some = `"customerId":"c-1","occurredAt":"2025-05-02T18:40:00Z","kinds":["LATE"]}`
	long := `{"eventId":"` + strings.Repeat("x", 400) + `",` + some
	for name, row := range map[string]struct {
		text, want string
	}{
		"too long": {long, ""},
		"both":     {long + "\n{" + some, "1 record without an id"},
		"no more":  {`{"failure":{}}` + "\n" + `{"interaction":{}}`, "2 records without an id"},
		"none":     {`{"failure":null}` + "\n5", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, flags := range [][]string{{"--dry-run"}, {"--server", server}} {
				o := command{}.fails(t, exitUsage, []string{row.want}, append([]string{"ingest", history(t, "a.ndjson", row.text)}, flags...)...)
				if got := strings.Contains(o.stderr, "without an id"); got != (row.want != "") {
					t.Errorf("%v: it says\n%s", flags, o.stderr)
				}
			}
		})
	}
}

// What is mended is the record that it was only with the flags that say something of all records: the command that is told has them.
func TestIngestTellsHowToSendRejects(t *testing.T) {
	server := service(t)
	const praise = `{"interaction":{"customerId":"c-1","occurredAt":"2025-05-02T18:40:00Z","kind":"PRAISE"}}`
	for _, flags := range [][]string{nil, {"--tenant", "north"}, {"--make-ids"}, {"--tenant", "north", "--make-ids"}} {
		path := history(t, "a.ndjson", praise+"\nno JSON\n")
		want := strings.Join(append(append([]string{"then: amends ingest"}, flags...), path+".rejects.ndjson\n"), " ")
		command{}.fails(t, exitUsage, []string{want}, append([]string{"ingest", "--server", server, path}, flags...)...)
	}
}

// What is missing is told before what was not begun for it, and what has no records is told at all.
func TestIngestOfNothing(t *testing.T) {
	server := service(t)
	none, empty := filepath.Join(t.TempDir(), "none.csv"), history(t, "a.csv", "")
	o := command{}.fails(t, exitUsage, nil, "ingest", "--server", server, none, empty)
	if cause, rest := strings.Index(o.stderr, "no such file"), strings.Index(o.stderr, "not begun"); cause < 0 || rest < cause {
		t.Errorf("it says\n%s", o.stderr)
	}
	for _, file := range []string{empty, history(t, "b.csv", "event_id,customer_id\n"), history(t, "c.ndjson", "\n")} {
		if o := amends(t, "ingest", "--server", server, file); !strings.Contains(o.stderr, file+": there are no records in it\n") {
			t.Errorf("of %s it says %q", file, o.stderr)
		}
	}
}
