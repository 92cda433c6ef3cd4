package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fault is an edit of the default policy that makes it wrong. Each « in the new
// text marks where a finding must point, and is not part of the text.
type fault struct {
	name     string
	old, new string
	want     []string // field: message, in the order of the marks
}

var faults = []fault{
	{"syntax", "title: Default policy", "«title: [Default policy",
		[]string{": not YAML: did not find expected ',' or ']'"}},
	{"a tab", "  money_from: {value: 5, grade: O}\n", "«\tmoney_from: {value: 5, grade: O}\n",
		[]string{": not YAML: a tab indents it, where YAML takes spaces alone"}},
	{"unknown field", "money_from: {value: 5, grade: O}\n  money_to: {value: 100, grade: O}\n  money_weight:",
		"«money_from: {value: 5, grade: O}\n  money_to: {value: 100, grade: O}\n  «money_wieght:",
		[]string{"severity.money_weight: value is required", "severity.money_wieght: unknown field \"money_wieght\" (did you mean money_weight?)"}},
	{"missing parameter", "  repeat_cap: {value: 3, grade: O}\n  recovered", "  recovered", nil},
	{"no number", "reference_severity: {value: 0.5,", "reference_severity: {value: «half,",
		[]string{`risk.goodwill.reference_severity.value: invalid float: strconv.ParseFloat: parsing "half": invalid syntax`}},
	{"no finite number", "cap: {value: 24,", "cap: {value: «NaN,",
		[]string{"risk.goodwill.cap.value: must be greater than or equal to 0 and less than or equal to 1000000"}},
	{"share above 1", "recovered_factor: {value: 0.5,", "recovered_factor: {value: «1.5,",
		[]string{"risk.recovered_factor.value: must be greater than or equal to 0 and less than or equal to 1"}},
	{"unknown grade", "on_time_effect: {value: 3.04, grade: C,", "on_time_effect: {value: 3.04, grade: «E,",
		[]string{`risk.on_time_effect.grade: "E" is unknown; one of A, B, C, D, M, O`}},
	{"protobuf spelling", "open_cases: {value: 100, grade: O}", "open_cases: {value: 100, grade: «EVIDENCE_GRADE_O}",
		[]string{`memory.open_cases.grade: "EVIDENCE_GRADE_O" is unknown; one of A, B, C, D, M, O`}},
	{"JSON spelling", "join_within:", "«joinWithin:",
		[]string{"joinWithin: write join_within"}},
	{"grade without source", `betrayal: {value: 0.30, grade: B, source: "love becomes hate: Gregoire, Tripp & Legoux 2009; size ours (O)"}`,
		"betrayal: «{value: 0.30, grade: B}",
		[]string{"risk.terms.betrayal: source is missing: every grade but O names where the number comes from"}},
	{"no time", "resolve: {value: 5d,", "resolve: {value: «5 days,",
		[]string{"deadlines.resolve.value: not a time; write it with d (24 hours), h, m and s, such as 180d, 12h, 1d12h or 5m"}},
	{"bands not ascending", "high: {value: 0.60, grade: O}", "high: {value: «0.20, grade: O}",
		[]string{"risk.bands.high.value: must be above risk.bands.moderate.value"}},
	{"later when the band rises", "high: {value: 12h, grade: C", "high: {value: 36h, grade: C", nil},
	{"late steps not ascending", "{up_to: 30m, severity: 0.25,", "{up_to: «10m, severity: 0.25,",
		[]string{"severity.late[1].up_to: must be above severity.late[0].up_to"}},
	{"late severities falling", "{up_to: 60m, severity: 0.40,", "{up_to: 60m, severity: «0.20,",
		[]string{"severity.late[2].severity: must not be below severity.late[1].severity"}},
	{"last late step limited", "- {severity: 0.55, grade: O}", "- {up_to: «3h, severity: 0.55, grade: O}",
		[]string{"severity.late[3].up_to: the last step must have no limit, for the longest delays"}},
	{"late step without limit", "- {up_to: 30m, severity: 0.25, grade: O}", "- «{severity: 0.25, grade: O}",
		[]string{"severity.late[1]: up_to is missing: only the last step has no limit"}},
	{"late with a severity", "{kind: LATE, takes: TIME,", "{kind: LATE, severity: «0.4, takes: TIME,",
		[]string{"severity.kinds[0].severity: LATE has none of its own: it follows the delay, see severity.late"}},
	{"patience before the gravest band", "patience_ceiling: {value: 72h,", "patience_ceiling: {value: «1h,",
		[]string{"deadlines.patience_ceiling.value: must not be below deadlines.band.critical.value"}},
	{"more than the ceiling without any failure", "  ceiling: {value: 0.99, grade: O}\n  #", "  ceiling: {value: «0.05, grade: O}\n  #",
		[]string{"risk.ceiling.value: must be above risk.base_rate.value"}},
	{"a band beyond the ceiling", "critical: {value: 0.85, grade: O}", "critical: {value: «0.995, grade: O}",
		[]string{"risk.bands.critical.value: must not be above risk.ceiling.value: no risk is"}},
	{"less for what was of no use", "rejected: {value: 1.00, grade: O}", "rejected: {value: «-1, grade: O}",
		[]string{"compensation.ratio.rejected.value: must not be negative"}},
	{"kind twice", "{kind: QUALITY, severity: 0.35,", "{kind: MISSING_ITEM, severity: 0.35,", nil},
	{"unknown calendar", "calendar: always #", "calendar: «shop #",
		[]string{`deadlines.calendar: calendar "shop" is unknown; one of always`}},
	{"bound that is none", "limits: []", "limits: [{milestone: RESOLVE, within: 14d, bound: «BAND, source: law}]",
		[]string{"deadlines.limits[0].bound: must be STATUTORY, CONTRACT or POLICY"}},
	{"public wide later than public", "public_wide: {value: 15m,", "public_wide: {value: 2h,", nil},
	{"a stay shorter than the answer", "stay: {value: 2h,", "stay: {value: «10m,",
		[]string{"deadlines.stay.value: must not be below deadlines.on_premises.value"}},
	{"ceilings", "first_ceiling: {value: 1.20,", "first_ceiling: {value: 1.80,", nil},
	{"currency not listed", "default_currency: USD", "default_currency: «BAM",
		[]string{"compensation.default_currency: BAM is not in currencies.table"}},
	{"no current currency", "    GBP: {scale: 0.8,", "    «DEM: {scale: 0.8,",
		[]string{`currencies.table["DEM"]: DEM is no current ISO 4217 currency`}},
	{"no currency code", "    GBP: {scale: 0.8,", "    «pound: {scale: 0.8,",
		[]string{`currencies.table["pound"]: does not match regex pattern ` + "`^[A-Z]{3}$`"}},
	{"finer than the minor unit", "JPY: {scale: 120, round_to: 50,", "JPY: {scale: 120, round_to: «0.5,",
		[]string{`currencies.table["JPY"].round_to: must be a multiple of the minor unit, which is 1`}},
	{"rounding to nothing", "USD: {scale: 1, round_to: 0.50,", "USD: {scale: 1, round_to: «0.00,",
		[]string{`currencies.table["USD"].round_to: must be above 0`}},
	{"a budget of nothing", "daily_budget: 8000}", "daily_budget: «0.00}",
		[]string{`currencies.table["GBP"].daily_budget: must be above 0`}},
	{"warnings that go back", "- {value: 0.8, grade: O}", "- {value: «0.4, grade: O}",
		[]string{`deadlines.warnings[1].value: must be above 0.5 and below 1`}},
	{"menu id twice", "- id: kindness", "- id: «on-the-spot",
		[]string{"menu[3].id: on-the-spot is there already, in menu[2].id"}},
	{"apology code twice", "{code: REGRET, when: ALWAYS,", "{code: «REASON, when: ALWAYS,",
		[]string{"apology.include[5].code: REASON is there already, in apology.include[4].code"}},
	{"unknown circumstance", "{code: VALUE, when: STEADY,", "{code: VALUE, when: «LOYAL,", nil},
	{"channel twice", "{channel: REVIEW_SITE,", "{channel: «SOCIAL,",
		[]string{"apology.forms[2].channel: SOCIAL is there already, in apology.forms[0].channel"}},
	{"key twice", "guard:\n  alpha:", "guard:\n  alpha: {value: 2, grade: O}\n  «alpha:",
		[]string{"alpha: given twice; the first is in line %d"}},
	{"rate above 1", "multiple: {value: 3, grade: O}\n", "multiple: {value: «40, grade: O}\n",
		[]string{"guard.multiple.value: times mean_rate must be below 1: it is a rate"}},
	{"second document", "calendars:\n  always: {}\n", "calendars:\n  always: {}\n«---\ntitle: again\n",
		[]string{": a second document begins here; the file must have one only"}},
	{"opening hours", "always: {}", "always: {time_zone: «Berlin, hours: {monday: [«\"18:00-09:00\"]}, holidays: [{date: «13-24}]}",
		[]string{
			`calendars["always"].time_zone: "Berlin" is not in the time zone database; use an IANA name such as "Europe/Berlin"`,
			`calendars["always"].hours.monday[0]: 18:00-09:00 does not end after it begins; end a night shift at 24:00 and begin the next day's at 00:00`,
			`calendars["always"].holidays[0].date: "13-24" is no day; use "2026-12-24" for one day or "12-24" for every year`,
		}},
	{"no opening hours", "always: {}", "always: {hours: «{}}",
		[]string{`calendars["always"].hours: never open, so no deadline could be met; leave hours out to be always open`}},
	{"opening hours of no length", "always: {}", "always: {hours: «{monday: []}}",
		[]string{`calendars["always"].hours: never open, so no deadline could be met; leave hours out to be always open`}},
	{"condition: unknown fact", `when: assessment.band == "CRITICAL" && failure.reach >= 100000`,
		`when: assessment.band == "CRITICAL" && «failure.views >= 100000`,
		[]string{"menu[0].when: failure.views is unknown; one of failure.kinds, failure.delay_minutes"}},
	{"condition: syntax", `when: failure.lost == "SERVICE" && assessment.severity >= 0.5`,
		`when: failure.lost == "SERVICE" && assessment.severity >=«`,
		[]string{"menu[8].when: Syntax error: mismatched input '<EOF>'"}},
	{"condition: no truth value", `when: failure.lost == "SERVICE" && assessment.severity >= 0.5`,
		`when: «assessment.severity`, []string{"menu[8].when: must be true or false, but is of type double"}},
	{"condition: types", `when: failure.lost == "SERVICE" && assessment.severity >= 0.5`,
		`when: failure.lost «== 5`, []string{"menu[8].when: found no matching overload for '_==_' applied to '(string, int)'"}},
	{"condition: never true", `when: failure.lost == "SERVICE" && assessment.severity >= 0.5`,
		`when: failure.lost == «"SERVCE" || failure.voice in ["PUBLIC", «"LOUD"]`,
		[]string{
			`menu[8].when: failure.lost is never "SERVCE"; one of MONEY, GOOD, SERVICE, ATTENTION, TIME`,
			`menu[8].when: failure.voice is never "LOUD"; one of UNVOICED, PRIVATE, PUBLIC`,
		}},
	{"condition: never true, quoted", `when: '"DATA_BREACH" in failure.kinds'`, `when: '«"BREACH" in failure.kinds'`, nil},
	{"condition: escaped", `when: '"DATA_BREACH" in failure.kinds'`, `when: "\"LATE\" in failure.kinds && «failure.x"`, nil},
	{"condition: in a block", `when: '"DATA_BREACH" in failure.kinds'`,
		"when: |\n      \"LATE\" in failure.kinds &&\n        «failure.x\n", nil},
	{"condition: folded", `when: '"DATA_BREACH" in failure.kinds'`,
		"when: >-\n      \"LATE\" in failure.kinds &&\n      failure.kinds.exists(k,\n      k == «\"LAT\")\n", nil},
}

// broken applies the edits and gives the text with the places that are marked.
func broken(t *testing.T, edits ...fault) (text string, places [][2]int) {
	t.Helper()
	text = string(defaultYAML)
	for _, f := range edits {
		if strings.Count(text, f.old) != 1 {
			t.Fatalf("%s: %q is %d times in the default policy", f.name, f.old, strings.Count(text, f.old))
		}
		text = strings.Replace(text, f.old, f.new, 1)
	}
	for i, line := range strings.Split(text, "\n") {
		for at := strings.Index(line, "«"); at >= 0; at = strings.Index(line, "«") {
			places = append(places, [2]int{i + 1, len([]rune(line[:at])) + 1})
			line = strings.Replace(line, "«", "", 1)
		}
	}
	return strings.ReplaceAll(text, "«", ""), places
}

func TestBrokenPolicies(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			text, places := broken(t, f)
			p, findings := Parse("broken.yaml", []byte(text))
			if p != nil || len(findings) == 0 {
				t.Fatal("there is a policy")
			}
			for _, g := range findings {
				t.Log(g)
			}
			if len(places) > 0 && len(findings) != len(places) {
				t.Fatalf("%d findings, want %d", len(findings), len(places))
			}
			for i, place := range places {
				g := findings[i]
				if g.File != "broken.yaml" || g.Line != place[0] || g.Column != place[1] {
					t.Errorf("at %s:%d:%d, want broken.yaml:%d:%d", g.File, g.Line, g.Column, place[0], place[1])
				}
				if f.want != nil && !strings.HasPrefix(g.Field+": "+g.Message, strings.Split(f.want[i], "%d")[0]) {
					t.Errorf("says %q, want %q", g.Field+": "+g.Message, f.want[i])
				}
			}
		})
	}
}

// All faults of all parts are reported at once, in the order of the lines.
func TestAllFaultsAtOnce(t *testing.T) {
	var edits []fault
	for _, name := range []string{"unknown field", "no number", "share above 1", "unknown grade", "no time", "bands not ascending",
		"late severities falling", "unknown calendar", "currency not listed", "finer than the minor unit", "menu id twice",
		"channel twice", "condition: never true", "condition: unknown fact", "rate above 1", "opening hours"} {
		for _, f := range faults {
			if f.name == name {
				edits = append(edits, f)
			}
		}
	}
	text, places := broken(t, edits...)
	_, findings := Parse("broken.yaml", []byte(text))
	var want, got []string
	for _, p := range places {
		want = append(want, fmt.Sprintf("broken.yaml:%d:%d", p[0], p[1]))
	}
	for _, f := range findings {
		got = append(got, fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("places (-want +got):\n%s\n%v", diff, findings.Err())
	}
}

func lineOf(text, part string) int { return strings.Count(text[:strings.Index(text, part)], "\n") + 1 }

func TestMissingKindAndParameter(t *testing.T) {
	text := strings.Replace(string(defaultYAML), "    - {kind: RUDE, severity: 0.50, takes: ATTENTION, grade: O}\n", "", 1)
	text = strings.Replace(text, "  repeat_cap: {value: 3, grade: O}\n", "", 1)
	_, findings := Parse("p.yaml", []byte(text))
	kinds, risk := lineOf(text, "- {kind: LATE"), lineOf(text, "risk:\n")+1
	want := fmt.Sprintf("p.yaml:%d:5: severity.kinds: kind RUDE is missing\np.yaml:%d:3: risk.repeat_cap: value is required", kinds, risk)
	if got := findings.Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestNoPolicyAtAll(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "p.yaml:1:1: the file is empty"},
		{"comment", "# nothing\n", "p.yaml:1:1: the file is empty"},
		{"list", "- 1\n", "p.yaml:1:1: "},
		{"not UTF-8", "title: a\nx: \xff\n", "p.yaml:2:4: this character is no valid UTF-8 text"},
		{"lone carriage return", "title: a\rseverity: {}\n", "p.yaml:1:9: this character"},
		{"other line end", "title: a\u2028b\n", "p.yaml:1:9: this character"},
		{"too large", strings.Repeat("# 23456789\n", 20_000), "p.yaml:1:1: the file has 220000 bytes; at most 200000 are read"},
	} {
		_, findings := Parse("p.yaml", []byte(tt.text))
		if len(findings) == 0 || !strings.HasPrefix(findings[0].String(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, findings.Err(), tt.want)
		}
	}
}
