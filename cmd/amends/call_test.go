package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// One customer's story through every command that calls the service.
func TestACustomersStory(t *testing.T) {
	server := service(t)
	c := command{env: map[string]string{"AMENDS_SERVER": server}}

	praised := c.works(t, "praise", "--customer", "c-1", "--kind", "positive-rating", "--order", "o-1", "-o", "json")
	if got := parse(t, praised.stdout, &recoveryv1.RecordInteractionsResponse{}); len(got.GetResults()) != 1 {
		t.Errorf("praise answers %v", got)
	}
	told := c.works(t, "report", "--customer", "c-1", "--kind", "LATE,quality", "--kind", "Wrong-Item", "--delay", "45m", "--order", "o-2",
		"--value", "18.00 USD", "--rejected", "--channel", "app")
	for _, word := range []string{
		"customer c-1", "late by 45 min, quality, wrong item", "RISK THAT THE CUSTOMER LEAVES", "how bad it was", "+", "good experiences before",
		"restitution", "18.00 USD", "total", "first response", "because the band is", "SAY", "AVOID",
	} {
		if !strings.Contains(told.stdout, word) {
			t.Errorf("report does not say %q:\n%s", word, told.stdout)
		}
	}

	listed := c.works(t, "cases", "--customer", "c-1", "-o", "json")
	one := parse(t, listed.stdout, &recoveryv1.Case{})
	got := parse(t, c.works(t, "case", one.GetCaseId(), "-o", "json").stdout, &recoveryv1.GetCaseResponse{}).GetCase()
	if got.GetCaseId() != one.GetCaseId() || got.GetState() != recoveryv1.CaseState_CASE_STATE_OPEN {
		t.Errorf("case answers %v, the list has %v", got, one)
	}
	if text := c.works(t, "case", one.GetCaseId()).stdout; !strings.Contains(text, one.GetCaseId()) || !strings.Contains(text, "BY WHEN") {
		t.Errorf("the case in full:\n%s", text)
	}
	if text := c.works(t, "cases", "--customer", "c-1", "--state", "open", "--limit", "1").stdout; !strings.Contains(text, one.GetCaseId()) {
		t.Errorf("the list:\n%s", text)
	}
	assessed := parse(t, c.works(t, "assess", "c-1", "-o", "json").stdout, &recoveryv1.AssessCustomerResponse{}).GetAssessment()
	if len(assessed.GetOpenCases()) != 1 || assessed.GetPositiveMass() == 0 {
		t.Errorf("assess answers %v", assessed)
	}
	next := "  next  amends ack " + one.GetCaseId() + "\n"
	if !strings.Contains(told.stdout, "\n\n"+next) || !strings.Contains(c.works(t, "case", one.GetCaseId()).stdout, next) {
		t.Errorf("nothing says what comes next:\n%s", told.stdout)
	}
	if text := c.works(t, "report", "--customer", "c-1", "--kind", "rude", "--dry-run").stdout; strings.Contains(text, "  next  ") {
		t.Errorf("a dry run leads on to what is not there:\n%s", text)
	}
	if text := c.works(t, "assess", "--customer", "c-1").stdout; !strings.Contains(text, "customer c-1") || !strings.Contains(text, "OPEN CASES") || !strings.Contains(text, next) {
		t.Errorf("assess:\n%s", text)
	}
	if text := c.works(t, "assess", "never-seen").stdout; !strings.Contains(text, "OPEN CASES  none") {
		t.Errorf("assess of a stranger:\n%s", text)
	}
}

// Every flag of report reaches its field.
func TestReportFlags(t *testing.T) {
	fake := newImpostor(t, func(int) error { return nil })
	amends(t, "report", "--server", fake.address, "--event-id", "e-1", "--tenant", "shop", "--customer", "c-1", "--kind", "late,HIDDEN_FEE",
		"--occurred-at", "2026-01-02T03:04:05Z", "--delay", "1d2h", "--order", "o-1", "--incident", "i-1", "--value", "18.50 USD", "--loss", "USD 7",
		"--entitlement", "0.000000001 usd", "--severity", "0", "--locus", "partner", "--controllability", "0.5", "--recurring", "--motive", "greed",
		"--rejected", "--voice", "public", "--channel", "review_site", "--reach", "900", "--departs-at", "2026-01-02T09:00:00Z",
		"--resource", "time", "--evidence", "evidenced", "--locale", "de-AT", "--relationship", "steady", "--lifetime-value", "400 USD",
		"--orders", "14", "--loyalty", "--dry-run")
	want := parse(t, `{"validateOnly": true, "event": {"eventId": "e-1", "tenant": "shop", "customerId": "c-1", "occurredAt": "2026-01-02T03:04:05Z",
		"kinds": ["FAILURE_KIND_LATE", "FAILURE_KIND_HIDDEN_FEE"], "delay": "93600s", "orderId": "o-1", "incidentId": "i-1",
		"orderValue": {"currencyCode": "USD", "units": 18, "nanos": 500000000}, "loss": {"currencyCode": "USD", "units": 7},
		"entitlement": {"currencyCode": "USD", "nanos": 1}, "severity": 0,
		"attribution": {"locus": "LOCUS_PARTNER", "controllability": 0.5, "recurring": true, "motive": "MOTIVE_GREED"},
		"acceptance": "ACCEPTANCE_REJECTED", "voice": "VOICE_PUBLIC", "channel": "CHANNEL_REVIEW_SITE", "reach": 900,
		"departsAt": "2026-01-02T09:00:00Z", "resourceLost": "RESOURCE_LOST_TIME", "corroboration": "CORROBORATION_EVIDENCED", "locale": "de-AT",
		"customer": {"relationship": "RELATIONSHIP_STEADY", "lifetimeValue": {"currencyCode": "USD", "units": 400}, "ordersTotal": 14, "loyaltyMember": true}}}`,
		&recoveryv1.ReportFailureRequest{})
	if diff := cmp.Diff(want, fake.report(t, 0), protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// No field of the event has been left without a flag.
	fields := want.GetEvent().ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if !want.GetEvent().ProtoReflect().Has(fields.Get(i)) {
			t.Errorf("no flag sets %s", fields.Get(i).Name())
		}
	}
}

// The first moment that can be written is a moment as any other, not the lack of one.
func TestTheFirstMoment(t *testing.T) {
	const first = "0001-01-01T00:00:00Z"
	fake := newImpostor(t, func(int) error { return nil })
	o := amends(t, "report", "--server", fake.address, "--event-id", "e-1", "--customer", "c-1", "--kind", "rude", "--occurred-at", first, "--departs-at", first)
	if event := fake.report(t, 0).GetEvent(); !event.GetOccurredAt().AsTime().IsZero() || !event.GetDepartsAt().AsTime().IsZero() {
		t.Errorf("it arrived as %v", event)
	}
	if o.stderr != "" {
		t.Errorf("it says %q", o.stderr)
	}
	server := service(t)
	command{}.fails(t, exitUsage, []string{"event.occurred_at"}, "report", "--server", server, "--customer", "c-1", "--kind", "rude", "--occurred-at", first)
	command{}.fails(t, exitUsage, []string{"due_before"}, "cases", "--server", server, "--due-before", first)
}

// What is not said is not sent: the service has the defaults.
func TestReportSendsOnlyWhatIsSaid(t *testing.T) {
	fake := newImpostor(t, func(int) error { return nil })
	amends(t, "report", "--server", fake.address, "--customer", "c-1", "--kind", "rude", "--occurred-at", "-2h", "--departs-in", "3h")
	event := fake.report(t, 0).GetEvent()
	if gap := event.GetDepartsAt().AsTime().Sub(event.GetOccurredAt().AsTime()); gap.Hours() < 4.9 || gap.Hours() > 5.1 {
		t.Errorf("it happened 2 h ago and the customer leaves in 3 h, but between them are %v", gap)
	}
	if event.GetEventId() == "" {
		t.Error("the event has no id")
	}
	for _, field := range []string{"event_id", "occurred_at", "departs_at"} {
		event.ProtoReflect().Clear(event.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(field)))
	}
	want := recoveryv1.FailureEvent_builder{CustomerId: "c-1", Kinds: []recoveryv1.FailureKind{recoveryv1.FailureKind_FAILURE_KIND_RUDE}}.Build()
	if diff := cmp.Diff(want, event, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The flags that are printed repeat the call exactly, whatever was counted from now.
func TestRepetition(t *testing.T) {
	server := service(t)
	hint := regexp.MustCompile(`add (--.*)\n`)
	for _, flags := range [][]string{
		{"--kind", "rude"},
		{"--kind", "rude", "--occurred-at", "-2h", "--departs-in", "1h30m"},
	} {
		args := append([]string{"report", "--server", server, "--customer", "c-1", "-o", "json"}, flags...)
		first := amends(t, args...)
		found := hint.FindStringSubmatch(first.stderr)
		if found == nil {
			t.Fatalf("nothing says how to repeat: %q", first.stderr)
		}
		rest, inPlace := strings.CutSuffix(found[1], " in place of --departs-in")
		if inPlace != (len(flags) > 2) {
			t.Errorf("of %v it says %q", flags, found[1])
		}
		if inPlace {
			args = args[:len(args)-2]
		}
		again := amends(t, append(args, strings.Fields(strings.ReplaceAll(rest, ", and ", " "))...)...)
		was, is := parse(t, first.stdout, &recoveryv1.ReportFailureResponse{}), parse(t, again.stdout, &recoveryv1.ReportFailureResponse{})
		if !is.GetReplayed() {
			t.Errorf("%s is not known again", found[1])
		}
		if diff := cmp.Diff(was.GetCase(), is.GetCase(), protocmp.Transform()); diff != "" {
			t.Errorf("the answer is another one (-first +again):\n%s", diff)
		}
		if again.stderr != "" {
			t.Errorf("with an id of its own it still says %q", again.stderr)
		}
	}
	for id, word := range map[string]string{"a b;echo hi": "'a b;echo hi'", "it's": `'it'\''s'`, "v": "v", "A.z_9:@+-": "A.z_9:@+-"} {
		for flag, call := range map[string][]string{"--event-id": {"report", "--kind", "rude"}, "--interaction-id": {"praise"}} {
			args := append(call, "--server", server, "--customer", "c-1", flag, id)
			if found := hint.FindStringSubmatch(amends(t, args...).stderr); found == nil || !strings.HasPrefix(found[1], flag+" "+word+" --occurred-at 2") {
				t.Errorf("of the id %s a shell is told %q", id, found)
			}
		}
	}
	named := []string{"report", "--server", server, "--customer", "c-1", "--kind", "rude", "--event-id", "E1"}
	found := hint.FindStringSubmatch(amends(t, named...).stderr)
	if found == nil || !strings.HasPrefix(found[1], "--event-id E1 --occurred-at 2") {
		t.Fatalf("of an event that was named, nothing says how to repeat it: %q", found)
	}
	if o := amends(t, append(named, strings.Fields(found[1])[2:]...)...); !strings.Contains(o.stdout, "was reported before") || o.stderr != "" {
		t.Errorf("repeated with its time it is not known again: %s%s", o.stdout, o.stderr)
	}
	time.Sleep(2 * time.Millisecond) // by which the times differ
	o := command{}.fails(t, exitConflict, []string{"ALREADY_EXISTS", "Repeat that call exactly, its time too (--occurred-at)"}, named...)
	if strings.Contains(o.stderr, "To repeat this call safely") {
		t.Errorf("it says how to be refused again:\n%s", o.stderr)
	}
	first := amends(t, "praise", "--server", server, "--customer", "c-1")
	again := amends(t, append([]string{"praise", "--server", server, "--customer", "c-1"}, strings.Fields(hint.FindStringSubmatch(first.stderr)[1])...)...)
	if !strings.Contains(again.stdout, "recorded before") {
		t.Errorf("the praise is not known again: %q", again.stdout)
	}
}

func TestPolicyOfAServer(t *testing.T) {
	server := service(t)
	built, active := amends(t, "policy", "show").stdout, amends(t, "policy", "show", "--server", server).stdout
	if built != active || !strings.Contains(built, "grade") {
		t.Errorf("the server's policy differs from the built-in one:\n%s", cmp.Diff(built, active))
	}
	answer := parse(t, amends(t, "policy", "show", "--server", server, "-o", "json").stdout, &recoveryv1.GetPolicyResponse{})
	if !answer.GetActive() || answer.GetYaml() != built {
		t.Errorf("show -o json answers %v", answer)
	}
	candidate := filepath.Join(t.TempDir(), "mine.yaml")
	changed := strings.Replace(built, "value: 1.45", "value: 2.45", 1)
	if changed == built {
		t.Fatal("the default policy has no weight of 1.45 to change")
	}
	if err := os.WriteFile(candidate, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"policy", "simulate", "--server", server, "--candidate", candidate, "--customer", "c-1", "--kind", "late", "--delay", "45m"}
	if text := amends(t, args...).stdout; !strings.Contains(text, "≠  leaves, if nobody answers") {
		t.Errorf("simulate shows no difference:\n%s", text)
	}
	both := parse(t, amends(t, append(args, "-o", "json")...).stdout, &recoveryv1.SimulatePolicyResponse{})
	if both.GetCase().GetAssessment().GetRisk().GetIgnored() <= both.GetBaseline().GetAssessment().GetRisk().GetIgnored() {
		t.Errorf("a heavier severity must raise the risk: %v", both)
	}
	if err := os.WriteFile(candidate, []byte("nothing: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command{}.fails(t, exitUsage, []string{"amends policy check " + candidate}, args...)
	if got := amends(t, "cases", "--server", server, "--customer", "c-1").stdout; !strings.Contains(got, "No cases.") {
		t.Errorf("simulate has stored something:\n%s", got)
	}
	command{}.fails(t, exitUsage, []string{"--server"}, "policy", "show", "--version", "p-1")
	command{}.fails(t, exitNotFound, []string{"NOT_FOUND"}, "policy", "show", "--server", server, "--version", "p-1")
}

func TestVersionForMachines(t *testing.T) {
	var said struct{ Version, Go, Platform string }
	if err := json.Unmarshal([]byte(amends(t, "version", "-o", "json").stdout), &said); err != nil || said.Version != release || !strings.HasPrefix(said.Go, "go1") ||
		said.Platform == "" {
		t.Errorf("%+v, %v", said, err)
	}
}

// A story is known by its name in whatever case, and names no step of a case that ends with it.
func TestDemoInAnyCase(t *testing.T) {
	if o := amends(t, "demo", "L1"); strings.Contains(o.stdout, "amends reopen") {
		t.Errorf("of a case that ends with the demo it names a next step:\n%s", o.stdout)
	}
	if o := amends(t, "demo", "3B"); !strings.Contains(o.stdout, "3b") {
		t.Errorf("it tells\n%s", o.stdout)
	}
}
