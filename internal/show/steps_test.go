package show_test

import (
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/internal/show"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func at(d time.Duration) *timestamppb.Timestamp { return timestamppb.New(now.Add(d)) }

func usd(units int64) *money.Money { return &money.Money{CurrencyCode: "USD", Units: units} }

// offered is the guitar's case with an offer in every state, the given one last.
func offered(t *testing.T, last recoveryv1.OfferState) *recoveryv1.Case {
	c := readCase(t, "guitar")
	offer := func(n string, state recoveryv1.OfferState) *recoveryv1.Offer {
		o := recoveryv1.Offer_builder{
			OfferId: c.GetCaseId() + "." + n, State: state, Total: usd(1776), CreatedAt: at(-time.Hour), ExpiresAt: at(7 * 24 * time.Hour),
			ApprovalRequired: usd(526), Items: c.GetRecommendation().GetItems(),
		}
		if state >= recoveryv1.OfferState_OFFER_STATE_APPROVED && n != "1" {
			o.ApprovedAt, o.ApprovedBy = at(-50*time.Minute), "m.ortiz"
		}
		if state >= recoveryv1.OfferState_OFFER_STATE_MADE && n != "1" {
			o.MadeAt = at(-40 * time.Minute)
		}
		if state == recoveryv1.OfferState_OFFER_STATE_ACCEPTED || state == recoveryv1.OfferState_OFFER_STATE_REFUSED {
			o.AnsweredAt = at(-20 * time.Minute)
		}
		return o.Build()
	}
	c.SetOffers([]*recoveryv1.Offer{
		offer("1", recoveryv1.OfferState_OFFER_STATE_EXPIRED), offer("2", recoveryv1.OfferState_OFFER_STATE_REFUSED), offer("3", last),
	})
	return c
}

// live are the texts of cases that somebody works on, by the name of the golden file.
func live(t *testing.T) map[string]func(show.Page) string {
	held := offered(t, recoveryv1.OfferState_OFFER_STATE_MADE)
	held.SetState(recoveryv1.CaseState_CASE_STATE_OFFERED)
	held.SetHeldSince(at(-10 * time.Minute))
	held.SetHistory(append(held.GetHistory(),
		recoveryv1.Transition_builder{At: at(-30 * time.Minute), Kind: recoveryv1.TransitionKind_TRANSITION_KIND_WARNED, Milestone: recoveryv1.Milestone_MILESTONE_OFFER}.Build(),
		recoveryv1.Transition_builder{At: at(-10 * time.Minute), Kind: recoveryv1.TransitionKind_TRANSITION_KIND_HELD}.Build()))
	late := working{
		recoveryv1.CaseState_CASE_STATE_ACKNOWLEDGED, []*recoveryv1.Deadline{promise(firstResponse, -time.Hour, missed), promise(makeOffer, -time.Hour, missed)}, nil,
		[]*recoveryv1.Offer{accepted(time.Hour, item(recoveryv1.ItemKind_ITEM_KIND_RESTITUTION, "", 18))},
	}.build()
	fresh := readCase(t, "pizza")
	closed := resolved(t, nil)
	erased := recoveryv1.EraseCustomerResponse_builder{
		Found: true, CasesRemoved: 1, FailuresRemoved: 3, AnswersRemoved: 14, EventsRemoved: 9, TombstoneExpiresAt: at(90 * 24 * time.Hour),
	}.Build()
	return map[string]func(show.Page) string{
		"held": func(p show.Page) string { return show.Case(held, p) },
		"steps": func(p show.Page) string {
			var text strings.Builder
			for _, c := range []*recoveryv1.Case{fresh, held, offered(t, recoveryv1.OfferState_OFFER_STATE_APPROVAL_REQUIRED), resolved(t, at(7*24*time.Hour)), closed} {
				text.WriteString(show.Step(c, p))
			}
			return text.String()
		},
		"overdue": func(p show.Page) string { return show.Case(late, p) + show.Step(late, p) + show.NextSteps(late, p) },
		"offer":   func(p show.Page) string { return show.Offer(held.GetOffers()[2], p) },
		"erasure": func(p show.Page) string { return show.Erasure("c-1042", erased, p) },
		"nothing-erased": func(p show.Page) string {
			return show.Erasure("c-1042", &recoveryv1.EraseCustomerResponse{}, p)
		},
	}
}

// resolved is a case whose customer is to be asked afterwards, unless followUp is nil.
func resolved(t *testing.T, followUp *timestamppb.Timestamp) *recoveryv1.Case {
	c := readCase(t, "pizza")
	c.SetOutcome(recoveryv1.Outcome_OUTCOME_SATISFIED)
	c.SetResolvedAt(at(0))
	c.SetState(recoveryv1.CaseState_CASE_STATE_FOLLOWED_UP)
	c.SetDeadlines(nil)
	if followUp != nil {
		c.SetState(recoveryv1.CaseState_CASE_STATE_RESOLVED)
		c.SetDeadlines([]*recoveryv1.Deadline{recoveryv1.Deadline_builder{
			Milestone: recoveryv1.Milestone_MILESTONE_FOLLOW_UP, DueAt: followUp, State: recoveryv1.DeadlineState_DEADLINE_STATE_PENDING,
			BoundBy: recoveryv1.Bound_BOUND_POLICY,
		}.Build()})
	}
	return c
}

// The first command that is named is the one that the state of the offer asks for.
func TestWhatComesNext(t *testing.T) {
	for state, want := range map[recoveryv1.OfferState]string{
		recoveryv1.OfferState_OFFER_STATE_PROPOSED:          "next   amends make WAUu4RnS70Lgi0m64njd8Q.1\n",
		recoveryv1.OfferState_OFFER_STATE_APPROVAL_REQUIRED: "next   amends approve WAUu4RnS70Lgi0m64njd8Q.1 --approver NAME\n",
		recoveryv1.OfferState_OFFER_STATE_APPROVED:          "next   amends make WAUu4RnS70Lgi0m64njd8Q.1\n",
		recoveryv1.OfferState_OFFER_STATE_MADE:              "next   amends answer WAUu4RnS70Lgi0m64njd8Q.1 accepted\n",
		recoveryv1.OfferState_OFFER_STATE_ACCEPTED:          "next   amends ack WAUu4RnS70Lgi0m64njd8Q.1\n",
		recoveryv1.OfferState_OFFER_STATE_REFUSED:           "next   amends ack WAUu4RnS70Lgi0m64njd8Q.1\n",
		recoveryv1.OfferState_OFFER_STATE_EXPIRED:           "next   amends ack WAUu4RnS70Lgi0m64njd8Q.1\n",
	} {
		if text := show.Step(offered(t, state), show.Page{Width: 100, Now: now}); !strings.Contains(text, want) {
			t.Errorf("%v: want %q in\n%s", state, want, text)
		}
	}
	// Nobody is led to end a case that nobody has answered.
	if text := show.Step(readCase(t, "pizza"), show.Page{Width: 100, Now: now}); strings.Contains(text, "amends resolve") {
		t.Errorf("a case that nobody answered is to be ended:\n%s", text)
	}
}

// A hold stops what the policy promised, and not who reads along.
func TestHeldClocks(t *testing.T) {
	c := readCase(t, "guitar")
	c.SetHeldSince(at(-time.Minute))
	if d := show.Next(c); d.GetBoundBy() != recoveryv1.Bound_BOUND_PUBLIC {
		t.Errorf("next is %v", d)
	}
	for _, d := range c.GetDeadlines() {
		if d.GetBoundBy() == recoveryv1.Bound_BOUND_PUBLIC {
			d.SetState(recoveryv1.DeadlineState_DEADLINE_STATE_MET)
		}
	}
	if text := show.Cases([]*recoveryv1.Case{c}, show.Page{Width: 100, Now: now}); !strings.Contains(text, "on hold") || strings.Contains(text, "late") {
		t.Errorf("all clocks stand still:\n%s", text)
	}
}

// One wide cell is cut before a column is left out for it, and where no screen bounds the page all are there.
func TestOneWideCell(t *testing.T) {
	list := []*recoveryv1.Case{readCase(t, "pizza"), readCase(t, "guitar")}
	list[1].GetRecommendation().SetTotal(&money.Money{CurrencyCode: "USD", Units: 1_199_999_999_999})
	text := show.Cases(list, show.Page{Width: 120, Now: now})
	if !strings.Contains(text, "ABOUT") || !strings.Contains(text, "…\n") && !strings.Contains(text, "…  ") {
		t.Errorf("on a screen:\n%s", text)
	}
	whole := show.Cases(list, show.Page{Width: 100, Unbound: true, Now: now})
	if !strings.Contains(whole, "1199999999999.00 USD  ") || !strings.Contains(whole, "ABOUT") || strings.Contains(whole, "…") {
		t.Errorf("for a pipe:\n%s", whole)
	}
	for _, width := range []int{60, 200} {
		for line := range strings.Lines(show.Cases(list, show.Page{Width: width, Now: now})) {
			if n := len([]rune(strings.TrimSpace(line))); n > width {
				t.Errorf("%d columns on a screen of %d: %s", n, width, line)
			}
		}
	}
}

// Narrow tables keep what matters most, wide ones tell more.
func TestColumnsThatFit(t *testing.T) {
	list := []*recoveryv1.Case{readCase(t, "guitar"), readCase(t, "pizza")}
	heads := func(width int) string {
		head, _, _ := strings.Cut(show.Cases(list, show.Page{Width: width, Now: now}), "\n")
		return strings.Join(strings.Fields(head), " ")
	}
	for width, want := range map[int]string{
		80:  "CASE BAND STATE NEXT TIME LEFT MISSED",
		100: "CASE BAND STATE NEXT TIME LEFT MISSED LEAVES GIVE",
		120: "CASE BAND STATE NEXT TIME LEFT MISSED LEAVES GIVE ABOUT",
	} {
		if got := heads(width); got != want {
			t.Errorf("%d columns have %q, want %q", width, got, want)
		}
	}
}

func board(t *testing.T, height int) show.Board {
	held := readCase(t, "toddler")
	held.SetCaseId("held")
	held.SetHeldSince(at(-time.Minute))
	quiet := readCase(t, "toddler")
	quiet.SetCaseId("quiet")
	quiet.SetDeadlines(nil)
	asked := resolved(t, at(7*24*time.Hour))
	asked.SetCaseId("asked")
	over := resolved(t, nil)
	over.SetCaseId("over")
	soon := readCase(t, "pizza")
	soon.SetCaseId("soon")
	soon.GetDeadlines()[0].SetDueAt(at(4*time.Minute + 3*time.Second))
	soon.GetDeadlines()[0].SetState(recoveryv1.DeadlineState_DEADLINE_STATE_PENDING)
	event := func(ago time.Duration, id string, kind recoveryv1.TransitionKind, milestone recoveryv1.Milestone) *recoveryv1.CaseEvent {
		return recoveryv1.CaseEvent_builder{CaseId: id, Transition: recoveryv1.Transition_builder{At: at(-ago), Kind: kind, Milestone: milestone}.Build()}.Build()
	}
	return show.Board{
		Cases: []*recoveryv1.Case{quiet, asked, over, readCase(t, "pizza"), held, soon, readCase(t, "guitar")}, Height: height,
		Recent: []*recoveryv1.CaseEvent{
			event(3*time.Minute, "soon", recoveryv1.TransitionKind_TRANSITION_KIND_OPENED, 0),
			event(90*time.Second, "soon", recoveryv1.TransitionKind_TRANSITION_KIND_WARNED, recoveryv1.Milestone_MILESTONE_ACKNOWLEDGE),
			event(time.Second, "over", recoveryv1.TransitionKind_TRANSITION_KIND_FOLLOWED_UP, 0),
		},
	}
}

// Whatever the screen, the board fits it: no line is too wide, and there are not too many.
func TestBoardFitsTheScreen(t *testing.T) {
	t.Setenv("CLICOLOR_FORCE", "1")
	for _, width := range []int{1, 20, 79, 132} {
		for _, height := range []int{1, 2, 3, 5, 8, 13, 24} {
			for _, colour := range []bool{false, true} {
				b := board(t, height)
				b.Status = "the connection is lost; trying again"
				lines := b.Lines(show.Page{Width: width, Colour: colour, Now: now})
				if len(lines) == 0 || len(lines) > height {
					t.Errorf("%d lines on a screen of %d", len(lines), height)
				}
				for _, line := range lines {
					if ansi.StringWidth(line) > width || strings.ContainsAny(line, "\n\r") {
						t.Errorf("%d columns: %q", width, line)
					}
					if !colour && strings.Contains(line, "\x1b") {
						t.Errorf("an escape sequence without colour in %q", line)
					}
				}
			}
		}
	}
}

// What does not fit is counted.
func TestBoardCountsTheRest(t *testing.T) {
	b := board(t, 6)
	b.Recent = nil
	text := strings.Join(b.Lines(show.Page{Width: 100, Now: now}), "\n")
	if !strings.Contains(text, "6 cases") || !strings.Contains(text, "… and 4 more") || strings.Count(text, "\n") != 5 {
		t.Errorf("6 cases on 6 lines:\n%s", text)
	}
	if strings.Contains(text, "over") {
		t.Errorf("a case that is over is shown:\n%s", text)
	}
}

// Time passes on the board without any event.
func TestBoardCountsDown(t *testing.T) {
	b := board(t, 30)
	for after, want := range map[time.Duration]string{
		0: "4 min 3 s", 3 * time.Second: "4 min", 4 * time.Minute: "3 s", 5 * time.Minute: "57 s late",
	} {
		text := strings.Join(b.Lines(show.Page{Width: 100, Now: now.Add(after)}), "\n")
		if !strings.Contains(text, " "+want+" ") {
			t.Errorf("after %v: want %q in\n%s", after, want, text)
		}
	}
}

func TestBoardWithoutCases(t *testing.T) {
	text := strings.Join(show.Board{Height: 10, Cases: []*recoveryv1.Case{resolved(t, nil)}}.Lines(show.Page{Width: 80, Now: now}), "\n")
	if !strings.Contains(text, "0 cases") || !strings.Contains(text, "No open cases.") {
		t.Errorf("it says\n%s", text)
	}
}

// Drawing changes nothing that it is given.
func TestBoardOnlyReads(t *testing.T) {
	b := board(t, 30)
	first := proto.CloneOf(b.Cases[0])
	b.Lines(show.Page{Width: 100, Now: now})
	if len(b.Cases) != 7 || !proto.Equal(first, b.Cases[0]) {
		t.Error("the cases were moved")
	}
}

// One of a kind is spoken of as one, and no id passes for free that is refused.
func TestErasureOfOneOfEach(t *testing.T) {
	text := show.Erasure("c-1", recoveryv1.EraseCustomerResponse_builder{
		Found: true, CasesRemoved: 1, FailuresRemoved: 1, AnswersRemoved: 1, EventsRemoved: 1, TombstoneExpiresAt: at(90 * 24 * time.Hour),
	}.Build(), show.Page{Width: 100, Now: now})
	for _, want := range []string{"with its offers", "that was remembered", "hashes of the ids of the last days"} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, "free") {
		t.Errorf("the ids are said to be free:\n%s", text)
	}
}
