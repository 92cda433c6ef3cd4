package show_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/makeamends/amends/internal/show"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

const (
	acknowledge   = recoveryv1.Milestone_MILESTONE_ACKNOWLEDGE
	firstResponse = recoveryv1.Milestone_MILESTONE_FIRST_RESPONSE
	makeOffer     = recoveryv1.Milestone_MILESTONE_OFFER
	resolve       = recoveryv1.Milestone_MILESTONE_RESOLVE
	followUp      = recoveryv1.Milestone_MILESTONE_FOLLOW_UP

	pending = recoveryv1.DeadlineState_DEADLINE_STATE_PENDING
	met     = recoveryv1.DeadlineState_DEADLINE_STATE_MET
	missed  = recoveryv1.DeadlineState_DEADLINE_STATE_MISSED

	contacted = recoveryv1.TransitionKind_TRANSITION_KIND_CONTACTED
	ended     = recoveryv1.TransitionKind_TRANSITION_KIND_RESOLVED
	reopened  = recoveryv1.TransitionKind_TRANSITION_KIND_REOPENED
)

// working is a small case that somebody works on: in a state, with deadlines, and a history.
type working struct {
	state     recoveryv1.CaseState
	deadlines []*recoveryv1.Deadline
	history   []*recoveryv1.Transition
	offers    []*recoveryv1.Offer
}

func (w working) build() *recoveryv1.Case {
	return recoveryv1.Case_builder{
		CaseId: "c.1", State: w.state, Deadlines: w.deadlines, History: w.history, Offers: w.offers,
		Failures: []*recoveryv1.Failure{recoveryv1.Failure_builder{Kinds: []recoveryv1.FailureKind{recoveryv1.FailureKind_FAILURE_KIND_RUDE}}.Build()},
		Recommendation: recoveryv1.Recommendation_builder{
			Items: []*recoveryv1.RecommendationItem{
				item(recoveryv1.ItemKind_ITEM_KIND_RESTITUTION, "", 18), item(recoveryv1.ItemKind_ITEM_KIND_GOODWILL, "", 30),
				item(recoveryv1.ItemKind_ITEM_KIND_GESTURE, "call", 0),
			},
			Total: usd(48),
		}.Build(),
	}.Build()
}

func item(kind recoveryv1.ItemKind, menu string, units int64) *recoveryv1.RecommendationItem {
	return recoveryv1.RecommendationItem_builder{Kind: kind, MenuItem: menu, Amount: usd(units), Description: "described as " + menu}.Build()
}

func promise(milestone recoveryv1.Milestone, in time.Duration, state recoveryv1.DeadlineState) *recoveryv1.Deadline {
	return recoveryv1.Deadline_builder{Milestone: milestone, DueAt: at(in), State: state}.Build()
}

func happened(ago time.Duration, kind recoveryv1.TransitionKind) *recoveryv1.Transition {
	return recoveryv1.Transition_builder{At: at(-ago), Kind: kind}.Build()
}

// accepted is an offer that the customer accepted so long ago.
func accepted(ago time.Duration, items ...*recoveryv1.RecommendationItem) *recoveryv1.Offer {
	total := int64(0)
	for _, it := range items {
		total += it.GetAmount().GetUnits()
	}
	return recoveryv1.Offer_builder{
		OfferId: "c.1.1", State: recoveryv1.OfferState_OFFER_STATE_ACCEPTED, AnsweredAt: at(-ago), Items: items, Total: usd(total),
	}.Build()
}

// nextOf are the commands that a text names, one a line.
func nextOf(text string) (commands []string) {
	for line := range strings.Lines(text) {
		if _, command, found := strings.Cut(line, "amends "); found {
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	return commands
}

var page = show.Page{Width: 120, Now: now}

// The commands that are named come in the order in which the customer is owed what they do.
func TestOrderOfCommands(t *testing.T) {
	all := []*recoveryv1.Deadline{
		promise(acknowledge, time.Minute, pending), promise(firstResponse, time.Hour, pending), promise(makeOffer, time.Hour, pending), promise(resolve, 99*time.Hour, pending),
	}
	toAsk := []*recoveryv1.Deadline{promise(followUp, time.Hour, pending)}
	for name, row := range map[string]struct {
		working
		want []string
	}{
		"opened again after an accepted offer": {
			working{recoveryv1.CaseState_CASE_STATE_OPEN, all, []*recoveryv1.Transition{happened(2*time.Hour, ended), happened(time.Hour, reopened)},
				[]*recoveryv1.Offer{accepted(3*time.Hour, item(recoveryv1.ItemKind_ITEM_KIND_RESTITUTION, "", 18), item(recoveryv1.ItemKind_ITEM_KIND_GOODWILL, "", 30))}},
			[]string{"ack c.1", "contact c.1 --out --channel phone", "offer c.1"},
		},
		"accepted, and nobody waits for an answer": {
			working{recoveryv1.CaseState_CASE_STATE_OFFERED, all[3:], []*recoveryv1.Transition{happened(4*time.Hour, reopened)}, []*recoveryv1.Offer{accepted(3 * time.Hour)}},
			[]string{"resolve c.1 satisfied"},
		},
		"accepted, and the customer wrote again": {
			working{recoveryv1.CaseState_CASE_STATE_OFFERED, []*recoveryv1.Deadline{all[1], all[3]}, nil, []*recoveryv1.Offer{accepted(3 * time.Hour)}},
			[]string{"contact c.1 --out --channel phone", "resolve c.1 satisfied"},
		},
		"resolved": {
			working{recoveryv1.CaseState_CASE_STATE_RESOLVED, toAsk, []*recoveryv1.Transition{happened(2*time.Hour, contacted), happened(time.Hour, ended)}, nil},
			[]string{"follow-up c.1"},
		},
		"resolved, and the customer wrote since": {
			working{recoveryv1.CaseState_CASE_STATE_RESOLVED, toAsk, []*recoveryv1.Transition{happened(2*time.Hour, ended), happened(time.Hour, contacted)}, nil},
			[]string{"follow-up c.1", "reopen c.1"},
		},
		"all promises are broken": {
			working{recoveryv1.CaseState_CASE_STATE_OPEN, []*recoveryv1.Deadline{promise(firstResponse, -2*time.Hour, missed), promise(makeOffer, -time.Hour, missed)}, nil, nil},
			[]string{"contact c.1 --out --channel phone", "offer c.1"},
		},
	} {
		if got := nextOf(show.Step(row.build(), page)); !slices.Equal(got, row.want) {
			t.Errorf("%s: next are %q, want %q", name, got, row.want)
		}
	}
}

// What was accepted is not to be given again.
func TestWhatIsLeftToGive(t *testing.T) {
	restitution, goodwill := item(recoveryv1.ItemKind_ITEM_KIND_RESTITUTION, "", 18), item(recoveryv1.ItemKind_ITEM_KIND_GOODWILL, "", 30)
	more, call := item(recoveryv1.ItemKind_ITEM_KIND_GOODWILL, "", 90), item(recoveryv1.ItemKind_ITEM_KIND_GESTURE, "call", 0)
	refused := accepted(0, restitution, goodwill)
	refused.SetState(recoveryv1.OfferState_OFFER_STATE_REFUSED)
	for name, row := range map[string]struct {
		offers  []*recoveryv1.Offer
		inShort string
		says    []string
		hides   string
	}{
		"nothing was accepted":    {[]*recoveryv1.Offer{refused}, "48.00 USD", []string{"18.00 USD", "30.00 USD", "described as call"}, "accepted"},
		"a part was":              {[]*recoveryv1.Offer{accepted(0, restitution)}, "30.00 USD", []string{"beside the 18.00 USD that was accepted", "30.00 USD", "described as call"}, "restitution"},
		"more of one kind was":    {[]*recoveryv1.Offer{accepted(0, more)}, "18.00 USD", []string{"beside the 90.00 USD", "restitution"}, "goodwill"},
		"all of it was":           {[]*recoveryv1.Offer{accepted(0, restitution, call), accepted(0, goodwill)}, "accepted 48.00 USD", []string{"Nothing more."}, "described as call"},
		"all but the gesture was": {[]*recoveryv1.Offer{accepted(0, restitution, goodwill)}, "accepted 48.00 USD", []string{"described as call"}, "restitution"},
	} {
		c := working{state: recoveryv1.CaseState_CASE_STATE_OFFERED, offers: row.offers}.build()
		line := strings.Split(show.Cases([]*recoveryv1.Case{c}, page), "\n")[2]
		if !strings.Contains(line, "%  "+row.inShort+"  rude") {
			t.Errorf("%s: in short %q, want %q", name, line, row.inShort)
		}
		_, give, _ := strings.Cut(show.Case(c, page), "GIVE")
		give, _, _ = strings.Cut(give, "OFFERS")
		for _, word := range row.says {
			if !strings.Contains(give, word) {
				t.Errorf("%s: %q is not in\n%s", name, word, give)
			}
		}
		if strings.Contains(give, row.hides) {
			t.Errorf("%s: %q is still to be given\n%s", name, row.hides, give)
		}
		if c.GetRecommendation().GetTotal().GetUnits() != 48 || len(c.GetRecommendation().GetItems()) != 3 {
			t.Errorf("%s: the case was changed", name)
		}
	}
}

// A case that was resolved asks for nothing that was to be done before.
func TestResolvedCaseInFull(t *testing.T) {
	c := readCase(t, "pizza")
	c.SetState(recoveryv1.CaseState_CASE_STATE_RESOLVED)
	text := show.Case(c, page) + show.Cases([]*recoveryv1.Case{c}, page)
	for _, word := range []string{"GIVE", "SAY", "if nobody answers", "LEAVES"} {
		if strings.Contains(text, word) {
			t.Errorf("it says %q:\n%s", word, text)
		}
	}
}

// A promise that was broken is counted until it is made up for, and is what comes next where nothing is promised any more.
func TestBrokenPromises(t *testing.T) {
	unanswered := []*recoveryv1.Deadline{promise(firstResponse, -3*time.Hour, missed), promise(makeOffer, -2*time.Hour, missed)}
	open, acknowledged := recoveryv1.CaseState_CASE_STATE_OPEN, recoveryv1.CaseState_CASE_STATE_ACKNOWLEDGED
	for name, row := range map[string]struct {
		working
		missed string // what the column says; empty if there is none
		next   string // and the two before it
	}{
		"nothing was promised anew":       {working{open, unanswered, nil, nil}, "2", "overdue first response 3 h late"},
		"something is still pending":      {working{open, append(unanswered, promise(resolve, time.Hour, pending)), nil, nil}, "2", "resolve 1 h"},
		"answered late":                   {working{acknowledged, unanswered, []*recoveryv1.Transition{happened(time.Hour, contacted)}, nil}, "1", "overdue offer 2 h late"},
		"a contact before it was due":     {working{open, unanswered, []*recoveryv1.Transition{happened(4*time.Hour, contacted)}, nil}, "2", "overdue first response 3 h late"},
		"promised anew and kept":          {working{acknowledged, append(unanswered[:1:1], promise(firstResponse, -time.Hour, met)), nil, nil}, "", ""},
		"promised anew and not yet kept":  {working{open, append(unanswered[:1:1], promise(firstResponse, time.Hour, pending)), nil, nil}, "1", "first response 1 h"},
		"promised anew and broken again":  {working{open, append(unanswered[:1:1], promise(firstResponse, -time.Hour, missed)), nil, nil}, "1", "overdue first response 3 h late"},
		"acknowledged late":               {working{acknowledged, []*recoveryv1.Deadline{promise(acknowledge, -time.Hour, missed)}, nil, nil}, "", ""},
		"resolved":                        {working{recoveryv1.CaseState_CASE_STATE_RESOLVED, append(unanswered, promise(followUp, time.Hour, pending)), nil, nil}, "", "follow up 1 h"},
		"opened again, all promised anew": {working{open, append(unanswered, promise(resolve, time.Hour, pending)), []*recoveryv1.Transition{happened(time.Hour, reopened)}, nil}, "", "resolve 1 h"},
		"a follow-up that was forgotten":  {working{open, []*recoveryv1.Deadline{promise(followUp, -time.Hour, missed), promise(resolve, time.Hour, pending)}, []*recoveryv1.Transition{happened(time.Hour, reopened)}, nil}, "1", "resolve 1 h"},
	} {
		c := row.build()
		lines := strings.Split(show.Cases([]*recoveryv1.Case{c}, page), "\n")
		want := row.next
		if row.missed != "" {
			want += " " + row.missed + " "
		}
		line := strings.Join(strings.Fields(lines[2]), " ")
		if !strings.Contains(line, want) || strings.Contains(lines[0], "MISSED") != (row.missed != "") {
			t.Errorf("%s: want %q in\n%s\n%s", name, want, lines[0], line)
		}
		coloured := show.Step(c, show.Page{Width: 120, Now: now, Colour: true})
		if strings.HasPrefix(row.next, "overdue") != strings.Contains(coloured, "38;5;160moverdue ") {
			t.Errorf("%s: the step says\n%s", name, coloured)
		}
	}
}

// A case of which nothing is promised any more comes first, and the board counts it.
func TestBoardWithBrokenPromises(t *testing.T) {
	late := working{recoveryv1.CaseState_CASE_STATE_OPEN, []*recoveryv1.Deadline{promise(firstResponse, -time.Hour, missed)}, nil, nil}.build()
	late.SetCaseId("late")
	soon := working{recoveryv1.CaseState_CASE_STATE_OPEN, []*recoveryv1.Deadline{promise(firstResponse, -2*time.Hour, pending)}, nil, nil}.build()
	soon.SetCaseId("soon")
	lines := show.Board{Height: 10, Cases: []*recoveryv1.Case{soon, late}}.Lines(page)
	if !strings.HasSuffix(lines[0], "2 late · 1 missed a promise") || !strings.HasPrefix(lines[3], "late ") {
		t.Errorf("the board is\n%s", strings.Join(lines, "\n"))
	}
}

// What a case is about is told wherever there is room for it, however short it is.
func TestShortAbout(t *testing.T) {
	c := working{state: recoveryv1.CaseState_CASE_STATE_OPEN, deadlines: []*recoveryv1.Deadline{promise(resolve, time.Hour, pending)}}.build()
	if text := show.Cases([]*recoveryv1.Case{c}, page); !strings.Contains(text, "ABOUT\n") || !strings.Contains(text, "rude\n") {
		t.Errorf("there is room for more:\n%s", text)
	}
	c.GetFailures()[0].SetKinds([]recoveryv1.FailureKind{recoveryv1.FailureKind_FAILURE_KIND_LATE, recoveryv1.FailureKind_FAILURE_KIND_RUDE})
	c.GetFailures()[0].SetDelay(durationpb.New(45 * time.Minute))
	c.SetCaseId(strings.Repeat("c", 70))
	if text := show.Cases([]*recoveryv1.Case{c}, show.Page{Width: 120, Now: now}); strings.Contains(text, "ABOUT") {
		t.Errorf("a few letters tell nothing:\n%s", text)
	}
}
