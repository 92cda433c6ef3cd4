package main

import (
	"os"
	"strings"
	"testing"
)

// Whatever was refused is refused again until somebody has mended it, however often it is sent, and kept as it was. What is mended is taken in.
func TestIngestRefusesAgain(t *testing.T) {
	server := service(t)
	const (
		failures = "event_id,customer_id,occurred_at,kinds,loss,order_id\n"
		both     = "type,id,event_id,customer_id,occurred_at,kind\n"
		some     = `"customerId":"c-1","occurredAt":"2025-05-02T18:40:00Z"`
		praise   = some + `,"kind":"PRAISE"`
		when     = ",c-1,2025-05-02T18:40:00Z,"
	)
	long, blank := strings.Repeat("x", mostRecordBytes), strings.Repeat(" ", mostRecordBytes)
	// whole is what somebody writes in place of a text that is no record.
	whole := func(id string) string { return `"record":{"interactionId":"` + id + `",` + praise + `}` }
	for name, row := range map[string]struct {
		file, text string
		from, to   string // mends what is kept
		reason     string // of refusing it again
	}{
		"not JSON":              {"a.ndjson", "not json", `"text":"not json"`, whole("j-1"), `in place of "text"`},
		"two values in a line":  {"a.ndjson", `{"interactionId":"j-2",` + praise + `}{}`, `"text"`, whole("j-2") + `,"text"`, `in place of "text"`},
		"a value cut off":       {"a.ndjson", `{"interactionId":"j-3",` + praise, `"text"`, whole("j-3") + `,"text"`, `in place of "text"`},
		"no object":             {"a.ndjson", "5", `"record":5`, whole("j-4"), "no JSON object"},
		"a long line":           {"a.ndjson", `{"interactionId":"j-5","orderId":"` + long + `",` + praise + `}`, `"text"`, whole("j-5") + `,"text"`, `in place of "text"`},
		"a long line of two":    {"a.ndjson", `{"interactionId":"j-6",` + praise + `}` + blank + `{"interactionId":"j-7",` + praise + `}`, `"text"`, whole("j-7") + `,"text"`, `in place of "text"`},
		"no such field":         {"a.ndjson", `{"interactionId":"j-8",` + praise + `,"colour":"red"}`, `,"colour":"red"`, "", "colour"},
		"a field twice":         {"a.ndjson", `{"interactionId":"j-9","interactionId":"j-9",` + praise + `}`, `"interactionId":"j-9","interactionId"`, `"interactionId"`, "duplicate"},
		"no type":               {"a.ndjson", `{` + some + `}`, some, `"interactionId":"j-10",` + praise, "may be a failure or an interaction"},
		"out of bounds":         {"a.ndjson", `{"failure":{"eventId":"j-11","severity":7,"kinds":["LATE"],` + some + `}}`, ":7,", ":0.7,", "severity: "},
		"JSON in no UTF-8":      {"a.ndjson", `{"interactionId":"j-12","orderId":"caf` + "\xe9" + `",` + praise + `}`, "caf\xe9", "café", "no UTF-8"},
		"JSON without an id":    {"a.ndjson", `{"interaction":{` + praise + `}}`, `{"customerId"`, `{"interactionId":"j-13","customerId"`, "interaction_id: "},
		"too few cells":         {"a.csv", failures + "t-1" + when + "LATE,18.50 GBP", `18.50 GBP"`, `18.50 GBP,"`, "5 cells, where the header has 6"},
		"too few, semicolons":   {"a.csv", strings.ReplaceAll(failures+"t-2"+when+"LATE,", ",", ";"), `LATE;"`, `LATE;18.50 GBP;o-1"`, "5 cells, where the header has 6"},
		"too many cells":        {"a.csv", failures + "t-3" + when + "LATE,18.50 GBP,o,1", "o,1", `\"o,1\"`, "7 cells, where the header has 6"},
		"a quotation mark":      {"a.csv", failures + `"t-4` + when + "LATE,,", `\"t-4`, "t-4", "no CSV"},
		"a row in no UTF-8":     {"a.csv", failures + "t-5" + when + "LATE,,caf\xe9", "\ufffd", "é", "\ufffd"},
		"and too few cells":     {"a.csv", failures + "t-6" + when + "LATE,caf\xe9", ",caf\ufffd", ",,café", "\ufffd"},
		"a long row":            {"a.csv", failures + "t-7" + when + "LATE,18.50 GBP" + blank + ",o-1", `"text"`, whole("t-7") + `,"text"`, `in place of "text"`},
		"a long last cell":      {"a.csv", failures + "t-8" + when + "LATE,,o-1" + blank + "x", `"text"`, whole("t-8") + `,"text"`, `in place of "text"`},
		"JSON for a row":        {"a.csv", failures + `{"interactionId":"t-9",` + praise + `}`, `"text"`, whole("t-9") + `,"text"`, "no CSV"},
		"a cell that is wrong":  {"a.csv", failures + "t-10" + when + "LATTE,,", `:"LATTE"`, `:"LATE"`, "LATTE"},
		"a row without an id":   {"a.csv", failures + when + "LATE,,", `"event_id":""`, `"event_id":"t-11"`, "event_id: "},
		"a row without a type":  {"a.csv", "type," + failures + ",t-12" + when + "LATE,,", `"type":""`, `"type":"failure"`, "neither failure nor interaction"},
		"a cell too many":       {"a.csv", both + "failure,t-13," + when + "LATE", `"id":"t-13"`, `"id":"","event_id":"t-13"`, "leave the cell empty"},
		"no currency":           {"a.csv", "currency," + failures + ",t-14" + when + "LATE,18.50,", `"currency":""`, `"currency":"GBP"`, "loss: "},
		"mended without effect": {"a.ndjson", `{"reasons":[],"Record":{"interactionId":"r-1",` + praise + `}}`, `"Record"`, `"record"`, "a reject needs"},
		"a record with reasons": {"a.ndjson", `{"reasons":["late"],"interactionId":"r-12",` + praise + `}`, `"reasons":["late"],`, "", "a reject needs"},
		"and with no reasons":   {"a.ndjson", `{"reasons":null,"interactionId":"r-13",` + praise + `}`, `"reasons":null,`, "", "a reject needs"},
		"reasons misspelt":      {"a.ndjson", `{"Reasons":[],"Record":{"interactionId":"r-2",` + praise + `}}`, `"record":{"Reasons":[],"Record":{"interactionId":"r-2",` + praise + `}}`, whole("r-2"), "may be a failure or an interaction"},
		"no row beside a text":  {"a.ndjson", `{"reasons":[],"row":null,"text":"x"}`, `"row":null`, whole("r-3"), "header"},
		"an empty row":          {"a.ndjson", `{"reasons":[],"row":{},"header":"interaction_id,customer_id,occurred_at,kind","text":"r-4` + when + `PRAISE"}`, `"row":{},`, "", "the header does not tell"},
		"JSON in a text":        {"a.ndjson", `{"reasons":[],"text":"{\"interactionId\":\"r-5\",` + strings.ReplaceAll(praise, `"`, `\"`) + `}"}`, `"text"`, whole("r-5") + `,"text"`, `in place of "text"`},
		"mended in no UTF-8":    {"a.ndjson", `{"reasons":[],"row":{"interaction_id":"r-6","customer_id":"caf` + "\xe9" + `","occurred_at":"2025-05-02T18:40:00Z","kind":"PRAISE"}}`, "caf\xe9", "café", "no UTF-8"},
		"a row of numbers":      {"a.ndjson", `{"reasons":[],"row":{"interaction_id":7,"customer_id":"c-1","occurred_at":"2025-05-02T18:40:00Z","kind":"PRAISE"}}`, ":7,", `:"r-7",`, "no object of texts"},
		"a text of two rows":    {"a.ndjson", `{"reasons":[],"header":"interaction_id,customer_id,occurred_at,kind","text":"r-8` + when + `PRAISE\nr-9` + when + `PRAISE"}`, `\nr-9` + when + "PRAISE", "", "a row is one line"},
		"no header":             {"a.ndjson", `{"reasons":[],"header":"","text":"r-11` + when + `PRAISE"}`, `"header":""`, `"header":"interaction_id,customer_id,occurred_at,kind"`, "there is none"},
		"a header unknown":      {"a.ndjson", `{"reasons":[],"header":"interaction,customer_id,occurred_at,kind","text":"r-10` + when + `PRAISE"}`, `"interaction,`, `"interaction_id,`, "is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			path := history(t, row.file, row.text+"\n")
			once, twice := path+".rejects.ndjson", path+".rejects-2.ndjson"
			for _, sent := range []string{path, once, twice} {
				var words []string
				if sent != path {
					words = []string{sent + ":1: ", row.reason}
				}
				o := command{}.fails(t, exitUsage, words, "ingest", "--server", server, "-o", "json", sent)
				if got := counts(summary(t, o)); got != [4]int{1, 0, 0, 1} {
					t.Fatalf("of %s: %v\n%.2000s", sent, got, o.stderr)
				}
			}
			var kept []string
			for _, path := range []string{once, twice} {
				list := entries(t, path)
				if len(list) != 1 {
					t.Fatalf("kept are %v", list)
				}
				list[0].File, list[0].Line = "", 0
				kept = append(kept, list[0].content())
			}
			if kept[0] != kept[1] {
				t.Errorf("kept is\n%s, and of that\n%s", kept[0], kept[1])
			}
			text, err := os.ReadFile(once)
			if err != nil {
				t.Fatal(err)
			}
			mended := strings.Replace(string(text), row.from, row.to, 1)
			if mended == string(text) {
				t.Fatalf("there is no %s in %s", row.from, text)
			}
			if l := summary(t, command{stdin: strings.NewReader(mended)}.works(t, "ingest", "--server", server, "--format", "ndjson", "-o", "json", "-")); counts(l) != [4]int{1, 1, 0, 0} {
				t.Errorf("mended, %v", counts(l))
			}
		})
	}
}

// However often a file is refused, its name does not grow.
func TestNamesOfRejects(t *testing.T) {
	for path, want := range map[string]string{
		"a.csv": "a.csv.rejects.ndjson", "a.csv.rejects.ndjson": "a.csv.rejects-2.ndjson", "a.csv.rejects-9.ndjson": "a.csv.rejects-10.ndjson",
		"rejects.ndjson": "rejects.ndjson.rejects.ndjson", "-": "",
	} {
		if got := (&ingesting{}).rejectsOf(path); got != want {
			t.Errorf("what is refused of %s goes to %q, want %q", path, got, want)
		}
	}
}
