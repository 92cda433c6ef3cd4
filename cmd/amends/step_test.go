package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func mustMoney(text string) *money.Money {
	amount, err := parseMoney(text)
	if err != nil {
		panic(err)
	}
	return amount
}

// Every step sends what it was told, and nothing else.
func TestStepRequests(t *testing.T) {
	const common = `"caseId": "c.1", "requestId": "r-1"`
	for args, want := range map[string]struct {
		request proto.Message
		json    string
	}{
		"ack c.1":                  {&recoveryv1.AcknowledgeCaseRequest{}, `{` + common + `}`},
		"ack c.1 --revision 7":     {&recoveryv1.AcknowledgeCaseRequest{}, `{` + common + `, "revision": "7"}`},
		"hold c.1 --revision 0":    {&recoveryv1.HoldCaseRequest{}, `{` + common + `, "revision": "0"}`},
		"release c.1":              {&recoveryv1.ReleaseCaseRequest{}, `{` + common + `}`},
		"follow-up c.1":            {&recoveryv1.RecordFollowUpRequest{}, `{` + common + `}`},
		"reopen c.1":               {&recoveryv1.ReopenCaseRequest{}, `{` + common + `}`},
		"resolve c.1 no-response":  {&recoveryv1.ResolveCaseRequest{}, `{` + common + `, "outcome": "OUTCOME_NO_RESPONSE"}`},
		"resolve c.1 SATISFIED":    {&recoveryv1.ResolveCaseRequest{}, `{` + common + `, "outcome": "OUTCOME_SATISFIED"}`},
		"make c.1 c.1.2":           {&recoveryv1.MakeOfferRequest{}, `{` + common + `, "offerId": "c.1.2"}`},
		"answer c.1 c.1.2 refused": {&recoveryv1.AnswerOfferRequest{}, `{` + common + `, "offerId": "c.1.2", "answer": "ANSWER_REFUSED"}`},
		"offer c.1":                {&recoveryv1.RequestOfferRequest{}, `{` + common + `}`},
		"offer c.1 --dry-run --goodwill 0USD": {&recoveryv1.RequestOfferRequest{},
			`{` + common + `, "validateOnly": true, "goodwill": {"currencyCode": "USD"}}`},
		"contact c.1 --out --channel phone": {&recoveryv1.RecordContactRequest{},
			`{` + common + `, "direction": "CONTACT_DIRECTION_OUTBOUND", "channel": "CHANNEL_PHONE"}`},
		"contact c.1 --in --channel social --public": {&recoveryv1.RecordContactRequest{},
			`{` + common + `, "direction": "CONTACT_DIRECTION_INBOUND", "channel": "CHANNEL_SOCIAL", "public": true}`},
		"approve c.1 c.1.2 --approver m.ortiz": {&recoveryv1.ApproveOfferRequest{}, `{` + common + `, "offerId": "c.1.2", "approver": "m.ortiz"}`},
		"approve c.1 c.1.2 --approver m.ortiz --goodwill 12.50USD --revision 3": {&recoveryv1.ApproveOfferRequest{},
			`{` + common + `, "offerId": "c.1.2", "approver": "m.ortiz", "revision": "3", "goodwill": {"currencyCode": "USD", "units": "12", "nanos": 500000000}}`},
	} {
		d := newDesk(t, &desk{answer: answered(theCase(anOffer("c.1.2", recoveryv1.OfferState_OFFER_STATE_PROPOSED)))})
		line := strings.Fields(args)
		for i, word := range line {
			line[i] = strings.Replace(word, "USD", " USD", 1)
		}
		o := amends(t, append(line, "--server", d.address, "--request-id", "r-1")...)
		parse(t, want.json, want.request)
		if diff := cmp.Diff([]proto.Message{want.request}, d.asked(), protocmp.Transform()); diff != "" {
			t.Errorf("amends %s (-want +got):\n%s", args, diff)
		}
		if !strings.Contains(o.stdout, "c.1") && !strings.Contains(args, "--dry-run") || o.stderr != "" {
			t.Errorf("amends %s says\n%s%s", args, o.stdout, o.stderr)
		}
	}
}

// A failure that nobody has reported is always a dry run.
func TestHypotheticalOffer(t *testing.T) {
	d := newDesk(t, &desk{answer: answered(theCase(anOffer("", recoveryv1.OfferState_OFFER_STATE_PROPOSED)))})
	o := amends(t, "offer", "--server", d.address, "--request-id", "r-1", "--tenant", "shop", "--customer", "c-1", "--kind", "late", "--event-id", "e-1",
		"--occurred-at", "2026-01-02T03:04:05Z")
	want := parse(t, `{"requestId": "r-1", "validateOnly": true, "event": {"eventId": "e-1", "tenant": "shop", "customerId": "c-1",
		"kinds": ["FAILURE_KIND_LATE"], "occurredAt": "2026-01-02T03:04:05Z"}}`, &recoveryv1.RequestOfferRequest{})
	if diff := cmp.Diff([]proto.Message{want}, d.asked(), protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.Contains(o.stdout, "offer of 27.00 USD") {
		t.Errorf("it says\n%s", o.stdout)
	}
}

func TestStepForMachines(t *testing.T) {
	d := newDesk(t, &desk{answer: answered(theCase(anOffer("c.1.2", recoveryv1.OfferState_OFFER_STATE_MADE)))})
	o := amends(t, "answer", "c.1", "accepted", "--server", d.address, "-o", "json")
	if got := parse(t, o.stdout, &recoveryv1.AnswerOfferResponse{}); got.GetCase().GetRevision() != 4 {
		t.Errorf("it answers %v", got)
	}
}

// An offer that is not named is the only one that the step fits.
func TestOfferIsChosen(t *testing.T) {
	made, proposed := anOffer("c.1.1", recoveryv1.OfferState_OFFER_STATE_MADE), anOffer("c.1.2", recoveryv1.OfferState_OFFER_STATE_PROPOSED)
	waiting, old := anOffer("c.1.3", recoveryv1.OfferState_OFFER_STATE_APPROVAL_REQUIRED), anOffer("c.1.4", recoveryv1.OfferState_OFFER_STATE_EXPIRED)
	approved := anOffer("c.1.5", recoveryv1.OfferState_OFFER_STATE_APPROVED)
	all := theCase(made, proposed, waiting, old)
	for args, id := range map[string]string{
		"make c.1": "c.1.2", "answer c.1 accepted": "c.1.1", "approve c.1 --approver a": "c.1.3",
	} {
		d := newDesk(t, &desk{answer: answered(all)})
		o := amends(t, append(strings.Fields(args), "--server", d.address)...)
		step := d.asked()[1].(interface{ GetOfferId() string })
		if want := "The offer is " + id + ", of 27.00 USD.\n"; step.GetOfferId() != id || o.stderr != want {
			t.Errorf("%s took %s and says %q, want %q", args, step.GetOfferId(), o.stderr, want)
		}
	}
	none := newDesk(t, &desk{answer: answered(theCase(waiting, old))})
	command{}.fails(t, exitConflict, []string{"the offer c.1.3 waits for approval: amends approve c.1 --approver NAME"}, "make", "c.1", "--server", none.address)
	many := newDesk(t, &desk{answer: answered(theCase(proposed, approved))})
	command{}.fails(t, exitConflict, []string{"2 offers", "name one", "c.1.2  27.00 USD", "c.1.5"}, "make", "c.1", "--server", many.address)
	if len(none.asked())+len(many.asked()) != 2 {
		t.Error("a step was taken without an offer")
	}
}

// What the service refuses is told with what to do next.
func TestRefusedSteps(t *testing.T) {
	for name, row := range map[string]struct {
		err  error
		code int
		says []string
	}{
		"wrong state": {refusal(t, codes.FailedPrecondition, "the case is RESOLVED; it allows RecordContact(OUTBOUND), RecordFollowUp, ReopenCase", info("WRONG_STATE")),
			exitConflict, []string{"the case is RESOLVED", "That is: amends contact, amends follow-up, amends reopen\n", "amends case c.1"}},
		"a closed case": {refusal(t, codes.FailedPrecondition, "the case is RESOLVED; it allows ReopenCase", info("WRONG_STATE")),
			exitConflict, []string{"it allows ReopenCase\nIt is closed, since it was withdrawn or has lapsed: amends reopen c.1\nSee"}},
		"wrong offer": {refusal(t, codes.FailedPrecondition, "the offer is MADE and would have to be PROPOSED", info("WRONG_STATE")),
			exitConflict, []string{"would have to be PROPOSED\nSee where it stands: amends case c.1"}},
		"changed":  {refusal(t, codes.Aborted, "changed", info("REVISION_MISMATCH")), exitConflict, []string{"amends: ABORTED (REVISION_MISMATCH): changed\nLook at it again, then decide anew: amends case c.1\n"}},
		"no case":  {refusal(t, codes.NotFound, "no such case", info("CASE_NOT_FOUND")), exitNotFound, []string{"amends cases --customer c.1"}},
		"currency": {refusal(t, codes.FailedPrecondition, "GetPolicy shows those", info("CURRENCY_NOT_LISTED")), exitConflict, []string{"GetPolicy (amends policy show --server) shows"}},
		"no offer": {refusal(t, codes.NotFound, "no such offer", info("OFFER_NOT_FOUND")), exitNotFound, []string{"amends case c.1"}},
		"nothing":  {refusal(t, codes.FailedPrecondition, "nothing", info("NOTHING_TO_OFFER")), exitConflict, []string{"--goodwill", "amends resolve c.1"}},
		"reused":   {refusal(t, codes.AlreadyExists, "reused", info("ID_REUSED")), exitConflict, []string{"ALREADY_EXISTS (ID_REUSED): the id was used before, for another content\nRepeat that call exactly, or give this one a new id.\n"}},
		"too much": {refusal(t, codes.FailedPrecondition, "at most 600.00 USD", info("CAP_REACHED")), exitConflict, []string{"at most 600.00 USD"}},
		"unknown":  {refusal(t, codes.Unavailable, "the change may have been made", info("STATE_UNKNOWN")), exitUnavailable, []string{"exactly as before, with --request-id "}},
		"fault":    {refusal(t, codes.Internal, "a fault", info("INTERNAL")), exitInternal, []string{"To repeat this call safely, add --request-id "}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, &desk{answer: func(int, proto.Message) (proto.Message, error) { return nil, row.err }})
			command{}.fails(t, row.code, row.says, "ack", "c.1", "--server", d.address)
		})
	}
}

// A step on another revision than the case has says which one it has, and one thing to do.
func TestAnotherRevision(t *testing.T) {
	d := newDesk(t, &desk{answer: func(n int, request proto.Message) (proto.Message, error) {
		if _, isLook := request.(*recoveryv1.GetCaseRequest); isLook {
			return answered(theCase())(n, request)
		}
		return nil, refusal(t, codes.Aborted, "the case has changed; read it again with GetCase", info("REVISION_MISMATCH"))
	}})
	o := command{}.fails(t, exitConflict, []string{"amends: ABORTED (REVISION_MISMATCH): the case has revision 4, not 99\nLook at it again, then decide anew: amends case c.1\n"},
		"ack", "c.1", "--revision", "99", "--server", d.address)
	if strings.Contains(o.stderr, "GetCase") {
		t.Errorf("it says it twice:\n%s", o.stderr)
	}
}

// A step with an offer that cannot be taken says how the offer stands, whether it was named or not, and not which one was chosen.
func TestOfferThatStands(t *testing.T) {
	when := timestamppb.New(time.Date(2020, 3, 2, 12, 10, 0, 0, time.UTC))
	accepted := anOffer("c.1.1", recoveryv1.OfferState_OFFER_STATE_ACCEPTED)
	accepted.SetAnsweredAt(when)
	for args, row := range map[string]struct {
		offer *recoveryv1.Offer
		says  string
	}{
		"answer c.1 accepted":       {accepted, "12:10 UTC; that answer stands"},
		"answer c.1 c.1.1 accepted": {accepted, "the offer c.1.1 was accepted 2 Mar 2020 12:10 UTC; that answer stands"},
		"make c.1":                  {nil, "the case has no offer yet"},
		"make c.1 c.1.4":            {anOffer("c.1.4", recoveryv1.OfferState_OFFER_STATE_MADE), "amends: FAILED_PRECONDITION (WRONG_STATE): the offer c.1.4 was made"},
		"make c.1 c.1.3":            {anOffer("c.1.3", recoveryv1.OfferState_OFFER_STATE_APPROVAL_REQUIRED), "waits for approval: amends approve c.1 --approver NAME"},
		"answer c.1 refused":        {anOffer("c.1.3", recoveryv1.OfferState_OFFER_STATE_PROPOSED), "was not made yet: amends make c.1"},
		"approve c.1 --approver a":  {anOffer("c.1.3", recoveryv1.OfferState_OFFER_STATE_EXPIRED), "is expired; draw up another: amends offer c.1"},
	} {
		d := newDesk(t, &desk{answer: func(n int, request proto.Message) (proto.Message, error) {
			if _, isLook := request.(*recoveryv1.GetCaseRequest); !isLook {
				return nil, refusal(t, codes.FailedPrecondition, "the case is OFFERED; it allows AcknowledgeCase", info("WRONG_STATE"))
			}
			if row.offer == nil {
				return answered(theCase())(n, request)
			}
			return answered(theCase(row.offer))(n, request)
		}})
		o := command{}.fails(t, exitConflict, []string{row.says}, append(strings.Fields(args), "--server", d.address)...)
		if strings.Contains(o.stderr, "The offer is") {
			t.Errorf("%s says as if it had worked\n%s", args, o.stderr)
		}
		if strings.Contains(o.stderr, "amends ack") {
			t.Errorf("%s says what has nothing to do with the offer\n%s", args, o.stderr)
		}
	}
	// A refusal of a step whose offer was chosen, too.
	d := newDesk(t, &desk{answer: func(n int, request proto.Message) (proto.Message, error) {
		if n > 1 {
			return nil, refusal(t, codes.FailedPrecondition, "changed meanwhile", info("OFFER_NOT_FOUND"))
		}
		return answered(theCase(anOffer("c.1.2", recoveryv1.OfferState_OFFER_STATE_PROPOSED)))(n, request)
	}})
	if o := (command{}).fails(t, exitConflict, nil, "make", "c.1", "--server", d.address); strings.Contains(o.stderr, "The offer is") {
		t.Errorf("it says as if it had worked\n%s", o.stderr)
	}
}

// A step whose fate is unknown is repeated with the same id and the same offer, which the error names.
func TestStepIsRepeatedSafely(t *testing.T) {
	d := newDesk(t, &desk{answer: func(n int, request proto.Message) (proto.Message, error) {
		if n > 1 {
			return nil, refusal(t, codes.Unavailable, "the change may have been made", info("STATE_UNKNOWN"))
		}
		return answered(theCase(anOffer("c.1.2", recoveryv1.OfferState_OFFER_STATE_PROPOSED)))(n, request)
	}})
	o := command{}.fails(t, exitUnavailable, nil, "make", "c.1", "--server", d.address)
	found := regexp.MustCompile(`exactly as before, with --request-id (\S+) and the offer c\.1\.2\.\n`).FindStringSubmatch(o.stderr)
	if found == nil {
		t.Fatalf("nothing says how to repeat:\n%s", o.stderr)
	}
	if n := len(d.asked()); n != 1+tries {
		t.Errorf("%d calls, want %d", n, 1+tries)
	}
	for _, request := range d.asked()[1:] {
		if id := request.(*recoveryv1.MakeOfferRequest).GetRequestId(); id != found[1] {
			t.Errorf("tried with the id %s, want %s", id, found[1])
		}
	}
	again := command{}.fails(t, exitUnavailable, nil, "make", "c.1", "--server", d.address)
	if strings.Contains(again.stderr, found[1]) {
		t.Error("another step has the same id")
	}
}

func TestStepUsage(t *testing.T) {
	for args, says := range map[string]string{
		"ack":                                  "the id of a CASE is missing",
		"ack a b":                              `"b" is too much`,
		"resolve c.1":                          "one of satisfied, unsatisfied, no-response, withdrawn is missing",
		"resolve c.1 lapsed":                   `"lapsed" is not one of satisfied, unsatisfied, no-response, withdrawn`,
		"answer c.1":                           "one of accepted, refused is missing",
		"answer":                               "the id of a CASE and one of accepted, refused are missing",
		"answer c.1 c.1.2":                     `"c.1.2" is not one of accepted, refused`,
		"answer c.1 c.1.2 accepted x":          "too much",
		"contact c.1 --channel phone":          "--in for the customer, --out for us",
		"contact c.1 --in --out --channel app": "say who reached out",
		"contact c.1 --in":                     "--channel is missing: where, of ",
		"approve c.1":                          "--approver is missing",
		"offer":                                "the id of a CASE is missing, or --customer",
		"offer c.1 --kind late":                "--kind describes a failure that nobody has reported",
		"offer --kind late":                    "--customer is missing",
		"erase":                                "--customer is missing",
		"erase --customer c-1":                 "add --yes",
		"cases --state open,followed_up":       "--state FOLLOWED_UP: closed cases are listed with --customer alone",
		"cases --limit 0":                      "must be 1 or more",
		"erase c-1":                            `did you mean "amends erase --customer c-1"?`,
		"cases c-1":                            `did you mean "amends cases --customer c-1"?`,
		"cases cWAUu4RnS70Lgi0m64njd8Q.1":      `did you mean "amends case cWAUu4RnS70Lgi0m64njd8Q.1"?`,
		"watch c-1":                            `did you mean "amends watch --customer c-1"?`,
		"cases --due-in 2h --due-before now":   "--due-in and --due-before both say until when",
		"cases --due-in soon":                  "such as 10s",
	} {
		command{}.fails(t, exitUsage, []string{says, "--help"}, strings.Fields(args)...)
	}
}

// A person sees the steps of a desk from a failure to the follow-up, against the real service.
func TestADesksStory(t *testing.T) {
	c := command{env: map[string]string{"AMENDS_SERVER": service(t)}}
	c.works(t, "report", "--customer", "c-7", "--kind", "DAMAGED,REFUSED", "--value", "1200 USD", "--rejected", "--channel", "social")
	id := parse(t, c.works(t, "cases", "--customer", "c-7", "-o", "json").stdout, &recoveryv1.Case{}).GetCaseId()
	for _, row := range []struct{ args, says string }{
		{"ack ID", "acknowledged"},
		{"hold ID", "acknowledged, on hold"},
		{"release ID", "amends contact ID --out --channel social"},
		{"contact ID --out --channel social --public", "amends offer ID"},
		{"offer ID --dry-run", "needs approval"},
		{"offer ID", "amends approve ID --approver NAME"},
		{"approve ID --approver m.ortiz --goodwill 90USD", "1290.00 USD"},
		{"make ID", "amends answer ID accepted"},
		{"answer ID refused", "promised anew"},
		{"offer ID --goodwill 95USD", "amends approve ID"},
		{"offer ID --goodwill 96USD", "takes the place of the offer ID.2"},
		{"approve ID --approver m.ortiz", "approved by m.ortiz"},
		{"make ID", "offered"},
		{"answer ID accepted", "amends resolve ID satisfied"},
		{"resolve ID satisfied", "amends follow-up ID"},
		{"follow-up ID", "amends reopen ID"},
		{"reopen ID", "amends ack ID"},
	} {
		args := strings.Fields(strings.ReplaceAll(row.args, "ID", id))
		for i, word := range args {
			args[i] = strings.Replace(word, "USD", " USD", 1)
		}
		o := c.works(t, args...)
		text := o.stdout + o.stderr
		if isNew := !strings.Contains(row.says, "takes the place"); isNew && strings.Contains(text, "takes the place") {
			t.Errorf("amends %s replaces nothing:\n%s", strings.Join(args, " "), text)
		}
		if strings.HasPrefix(row.args, "answer ID refused") {
			text += c.works(t, "case", id).stdout
		}
		if want := strings.ReplaceAll(row.says, "ID", id); !strings.Contains(text, want) {
			t.Errorf("amends %s does not say %q:\n%s", strings.Join(args, " "), want, text)
		}
	}
	text := c.works(t, "case", id).stdout
	for _, want := range []string{"OFFERS\n", "refused ", "accepted ", "approved by m.ortiz", "offer approved\n", "followed up\n", "reopened\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the case does not say %q:\n%s", want, text)
		}
	}
	c.fails(t, exitConflict, []string{"the case is OPEN", "That is: ", "amends ack"}, "follow-up", id)
	first := c.works(t, "ack", id, "--request-id", "r-1", "-o", "json").stdout
	if again := c.works(t, "ack", id, "--request-id", "r-1", "-o", "json").stdout; !sameJSON(t, first, again) {
		t.Errorf("repeated, it answers\n%s, not\n%s", again, first)
	}
}

// sameJSON compares answers: protojson does not always lay them out alike.
func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	x, y := &recoveryv1.AcknowledgeCaseResponse{}, &recoveryv1.AcknowledgeCaseResponse{}
	for text, message := range map[string]proto.Message{a: x, b: y} {
		if err := protojson.Unmarshal([]byte(text), message); err != nil {
			t.Fatal(err)
		}
	}
	return a == b || proto.Equal(x, y)
}
