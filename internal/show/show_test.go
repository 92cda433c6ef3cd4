package show_test

import (
	"flag"
	"maps"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/show"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Half an hour after the decisions in testdata.
var now = time.Date(2026, 3, 2, 12, 30, 0, 0, time.UTC)

func read[M proto.Message](t *testing.T, name string, message M) M {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := protojson.Unmarshal(text, message); err != nil {
		t.Fatal(err)
	}
	return message
}

func readCase(t *testing.T, name string) *recoveryv1.Case {
	return read(t, name+".case", &recoveryv1.Case{})
}

// texts are all that the package writes, by the name of the golden file.
func texts(t *testing.T) map[string]func(show.Page) string {
	guitar, toddler, pizza := readCase(t, "guitar"), readCase(t, "toddler"), readCase(t, "pizza")
	dry := proto.CloneOf(toddler)
	dry.SetCaseId("")
	closed := proto.CloneOf(pizza)
	closed.SetState(recoveryv1.CaseState_CASE_STATE_RESOLVED)
	closed.SetOutcome(recoveryv1.Outcome_OUTCOME_SATISFIED)
	closed.SetResolvedAt(pizza.GetOpenedAt())
	closed.GetRecommendation().SetReviewRequired(true)
	closed.GetRecommendation().SetReviewReasons([]string{"ABUSE_GUARD"})
	unsafe := proto.CloneOf(guitar)
	unsafe.GetRecommendation().SetReviewRequired(true)
	unsafe.GetRecommendation().SetReviewReasons([]string{"HUMAN_DECIDES", "ABUSE_GUARD", "CHANNEL", "STALE_EVENT", "OTHER_REASON"})
	unsafe.GetAssessment().SetPatience(.5)
	unsafe.GetAssessment().SetPositivesOwed(10)
	unsafe.GetAssessment().SetPositivesFallShort(false)
	gestures := unsafe.GetRecommendation().GetItems()
	unsafe.GetRecommendation().SetItems(gestures[len(gestures)-1:])
	unsafe.GetRecommendation().SetTotal(nil)
	customer := read(t, "customer", &recoveryv1.CustomerAssessment{})
	event := recoveryv1.FailureEvent_builder{CustomerId: "customer-with-a-rather-long-id"}.Build()
	praise := recoveryv1.Interaction_builder{CustomerId: "c-7", Kind: recoveryv1.InteractionKind_INTERACTION_KIND_PRAISE}.Build()
	all := map[string]func(show.Page) string{
		"guitar":  func(p show.Page) string { return show.Case(guitar, p) },
		"toddler": func(p show.Page) string { return show.Case(dry, p) },
		"closed":  func(p show.Page) string { return show.Case(closed, p) },
		"replayed": func(p show.Page) string {
			return show.Report(recoveryv1.ReportFailureResponse_builder{Case: pizza, Replayed: true}.Build(), p)
		},
		"customer": func(p show.Page) string { return show.Customer(customer, p) },
		"stranger": func(p show.Page) string {
			return show.Customer(recoveryv1.CustomerAssessment_builder{CustomerId: "nobody", Baseline: .05, RiskNow: .05}.Build(), p)
		},
		"cases":    func(p show.Page) string { return show.Cases([]*recoveryv1.Case{guitar, toddler, pizza}, p) },
		"no-cases": func(p show.Page) string { return show.Cases(nil, p) },
		"simulation": func(p show.Page) string {
			return show.Simulation(recoveryv1.SimulatePolicyResponse_builder{Case: pizza, Baseline: toddler}.Build(), p)
		},
		"lines": func(p show.Page) string {
			var text strings.Builder
			text.WriteString(show.LineHead + "\n")
			for _, c := range []*recoveryv1.Case{guitar, toddler} {
				text.WriteString(show.Line(event, recoveryv1.ReportFailureResponse_builder{Case: c, Replayed: c == toddler}.Build(), p) + "\n")
			}
			text.WriteString(show.InteractionLineHead + "\n")
			for _, status := range []recoveryv1.InteractionStatus{1, 2} {
				text.WriteString(show.InteractionLine(praise, status, p) + "\n")
			}
			return text.String()
		},
		"parts": func(p show.Page) string {
			return show.Risk(pizza.GetAssessment(), p) + show.Reasons(pizza.GetAssessment(), p) +
				show.Compensation(pizza.GetRecommendation(), p) + show.Review(pizza.GetRecommendation(), p) +
				show.Deadlines(pizza, p) + show.Apology(pizza.GetRecommendation().GetApology(), p)
		},
		"endings": func(p show.Page) string {
			list := []show.Ending{{ID: "3b", Title: "The broken guitar goes viral", Case: guitar, Now: now},
				{ID: "5", Title: "The crying toddler in a restaurant that is full to the last seat, on a Sunday", Case: toddler, Now: now}}
			return show.Endings(list, p) + show.Legend(p) + show.Note("More is told with --full.", p)
		},
		"unsafe": func(p show.Page) string { return show.Case(unsafe, p) },
		"empty":  func(p show.Page) string { return show.Case(&recoveryv1.Case{}, p) },
		"board": func(p show.Page) string {
			p.Width = min(max(p.Width, 80), 120)
			return strings.Join(board(t, 24).Lines(p), "\n") + "\n"
		},
	}
	maps.Copy(all, live(t))
	maps.Copy(all, drawn(t))
	return all
}

func TestGolden(t *testing.T) {
	for name, write := range texts(t) {
		t.Run(name, func(t *testing.T) {
			got := write(show.Page{Width: 100, Now: now})
			path := filepath.Join("testdata", name+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got), -update writes it anew:\n%s", diff)
			}
		})
	}
}

// Whatever the page, no line is wider than it, and colour changes nothing but the colour.
func TestPages(t *testing.T) {
	t.Setenv("CLICOLOR_FORCE", "1") // the page decides, not the surroundings
	for name, write := range texts(t) {
		for asked, width := range map[int]int{0: 80, 80: 80, 93: 93, 120: 120, 500: 120} {
			if name == "cases" || name == "customer" { // lists take all of the page
				width = max(width, asked)
			}
			text := write(show.Page{Width: asked, Now: now})
			if strings.Contains(text, "\x1b") {
				t.Errorf("%s: an escape sequence on a plain page", name)
			}
			if !strings.HasSuffix(text, "\n") {
				t.Errorf("%s: no newline at the end", name)
			}
			for line := range strings.Lines(text) {
				line = strings.TrimSuffix(line, "\n")
				if n := utf8.RuneCountInString(line); n > width {
					t.Errorf("%s, page of %d: %d columns in %q", name, asked, n, line)
				}
				if strings.TrimRight(line, " ") != line {
					t.Errorf("%s: spaces at the end of %q", name, line)
				}
			}
			coloured := write(show.Page{Width: asked, Colour: true, Now: now})
			if name != "no-cases" && name != "nothing-erased" && !strings.Contains(coloured, "\x1b[") {
				t.Errorf("%s: nothing is coloured", name)
			}
			// The badge of the band is padded when it has a background; everything else stays where it is.
			if words := strings.Fields(ansi.Strip(coloured)); !cmp.Equal(words, strings.Fields(text)) {
				t.Errorf("%s: colour changed the words:\n%s", name, cmp.Diff(strings.Fields(text), words))
			}
		}
	}
}

func TestBandsHaveTheirColours(t *testing.T) {
	c := readCase(t, "guitar")
	seen := map[string]recoveryv1.Band{}
	for band := recoveryv1.Band_BAND_LOW; band <= recoveryv1.Band_BAND_CRITICAL; band++ {
		c.GetAssessment().GetRisk().SetBand(band)
		head, _, _ := strings.Cut(show.Case(c, show.Page{Width: 100, Colour: true, Now: now}), "case")
		head = strings.NewReplacer("LOW", "", "MODERATE", "", "HIGH", "", "CRITICAL", "").Replace(head)
		if other, ok := seen[head]; ok {
			t.Errorf("%v looks like %v", band, other)
		}
		seen[head] = band
	}
}

func TestMoney(t *testing.T) {
	for _, row := range []struct {
		units    int64
		nanos    int32
		currency string
		want     string
	}{
		{18, 0, "USD", "18.00 USD"},
		{18, 500_000_000, "USD", "18.50 USD"},
		{0, 1, "EUR", "0.000000001 EUR"},
		{1_234_567, 891_234_567, "EUR", "1234567.891234567 EUR"},
		{500, 0, "JPY", "500 JPY"},
		{500, 500_000_000, "JPY", "500.5 JPY"},
		{7, 5_000_000, "KWD", "7.005 KWD"},
		{7, 0, "KWD", "7.000 KWD"},
		{7, 0, "???", "7.00 ???"},
		{-3, -250_000_000, "USD", "−3.25 USD"},
		{0, -10_000_000, "USD", "−0.01 USD"},
		{-9_223_372_036_854_775_808, -999_999_999, "USD", "−9223372036854775808.999999999 USD"},
		{9_223_372_036_854_775_807, 999_999_999, "USD", "9223372036854775807.999999999 USD"},
	} {
		if got := show.Money(&money.Money{Units: row.units, Nanos: row.nanos, CurrencyCode: row.currency}); got != row.want {
			t.Errorf("%d units and %d nanos are %q, want %q", row.units, row.nanos, got, row.want)
		}
	}
	if got := show.Money(nil); got != "" {
		t.Errorf("nothing is %q", got)
	}
}

// An id that has hyphens and spaces at which no line is broken, or letters of a script of one's own, is the id of nobody else.
func TestIDsAreShownAsTheyAre(t *testing.T) {
	c := readCase(t, "pizza")
	for _, id := range []string{"c\u20111", "c\u00a01", "c\ue0001", "c-1", "c 1", "c\u2011\u2011-\u00a0 1"} {
		c.SetCustomerId(id)
		if text := show.Case(c, show.Page{Width: 100, Now: now}); !strings.Contains(text, "customer "+id+" ") {
			t.Errorf("%q is not in\n%s", id, text)
		}
	}
	for length := range 90 { // wherever the line ends
		c.SetCustomerId(strings.Repeat("x", length) + strings.Repeat("- ", 64-length/2))
		if text := show.Case(c, show.Page{Width: 80, Now: now}); !utf8.ValidString(text) || strings.ContainsAny(text, "\u2011\u00a0") {
			t.Errorf("of an id of %d letters before its hyphens:\n%q", length, text)
		}
	}
}

func TestSpan(t *testing.T) {
	for span, want := range map[time.Duration]string{
		0: "0 s", 59 * time.Second: "59 s", time.Minute: "1 min", 90 * time.Second: "1 min 30 s", 45 * time.Minute: "45 min",
		2 * time.Hour: "2 h", 90 * time.Minute: "1 h 30 min", 23*time.Hour + 59*time.Minute: "23 h 59 min", 47*time.Hour + 59*time.Minute: "47 h", 48 * time.Hour: "2 d",
		75 * time.Hour: "3 d 3 h", -time.Hour: "-1 h",
		math.MinInt64: "-106751 d 23 h",
	} {
		if got := show.Span(span); got != want {
			t.Errorf("%v is %q, want %q", time.Duration(span), got, want)
		}
	}
}

// Every value of the enums that explain a decision has words of its own: a new one must not be shown by its bare name.
func TestEveryReasonAndBoundHasWords(t *testing.T) {
	page := show.Page{Width: 120, Now: now}
	for number, name := range recoveryv1.ReasonCode_name {
		code := recoveryv1.ReasonCode(number)
		if code == 0 {
			continue
		}
		a := recoveryv1.Assessment_builder{Reasons: []*recoveryv1.Reason{recoveryv1.Reason_builder{Code: code, Contribution: 1}.Build()}}.Build()
		bare := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, "REASON_CODE_"), "_", " "))
		if text := show.Reasons(a, page); strings.Contains(text, "  "+bare+"  ") {
			t.Errorf("%s is shown as %q", name, bare)
		}
	}
	for number, name := range recoveryv1.Bound_name {
		c := recoveryv1.Case_builder{Deadlines: []*recoveryv1.Deadline{recoveryv1.Deadline_builder{BoundBy: recoveryv1.Bound(number)}.Build()}}.Build()
		if text := show.Deadlines(c, page); number != 0 && !strings.Contains(text, "because") {
			t.Errorf("%s does not say why:\n%s", name, text)
		}
	}
}
