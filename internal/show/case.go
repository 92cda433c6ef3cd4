package show

import (
	"fmt"
	"strings"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Report writes the decision on one failure.
func Report(r *recoveryv1.ReportFailureResponse, p Page) string {
	text := Case(r.GetCase(), p)
	if r.GetReplayed() {
		w := p.writer()
		w.prose(0, w.dim("This event was reported before: here is the answer that it got then. Nothing has changed."))
		w.line("")
		now := p.writer()
		now.line("")
		now.grid(2, nextRows([]string{"amends case " + r.GetCase().GetCaseId()}))
		return w.String() + text + now.String()
	}
	return text + NextSteps(r.GetCase(), p)
}

// Case writes one case in full. Of one that was resolved it leaves out what was to be done until then.
func Case(c *recoveryv1.Case, p Page) string {
	w := p.writer()
	isOpen := c.GetState() < recoveryv1.CaseState_CASE_STATE_RESOLVED
	w.head(c)
	w.failures(c)
	if isOpen {
		w.risk(c.GetAssessment())
	}
	w.reasons(c.GetAssessment())
	if isOpen {
		w.give(c)
		w.review(c.GetRecommendation())
	}
	w.offers(c.GetOffers())
	w.deadlines(c)
	if isOpen {
		w.apology(c.GetRecommendation().GetApology())
	}
	w.history(c)
	w.trace(c)
	return w.String()
}

// head names the case and says what matters most: how urgent it is, and by when to answer.
func (w *writer) head(c *recoveryv1.Case) {
	name := "new case, not stored"
	if c.GetCaseId() != "" {
		name = "case " + c.GetCaseId()
	}
	w.line(w.badge(c.GetAssessment().GetRisk().GetBand()) + "  " + w.bold(name))
	w.prose(0, w.dim(chain(about(c, w.Page))))
	switch {
	case c.GetOutcome() != recoveryv1.Outcome_OUTCOME_UNSPECIFIED:
		w.prose(0, fmt.Sprintf("Closed %s: %s.", w.moment(c.GetResolvedAt()), plain(c.GetOutcome())))
	case c.GetRespondBy() != nil:
		w.prose(0, fmt.Sprintf("Answer by %s, %s, %s.", w.bold(w.moment(c.GetRespondBy())), w.left(c.GetRespondBy()), because(firstResponse(c), c)))
	}
}

func about(c *recoveryv1.Case, p Page) []string {
	parts := []string{stateOf(c)}
	if c.GetCustomerId() != "" {
		parts = append(parts, "customer "+c.GetCustomerId())
	}
	if t := c.GetTenant(); t != "" && t != "default" {
		parts = append(parts, "tenant "+t)
	}
	parts = append(parts, "opened "+p.moment(c.GetOpenedAt()), fmt.Sprintf("revision %d", c.GetRevision()))
	if version := c.GetPolicyVersion(); version != "" {
		parts = append(parts, "policy "+version)
	}
	return parts
}

// firstResponse is the deadline by which a person must answer: the newest one, if some were missed.
func firstResponse(c *recoveryv1.Case) *recoveryv1.Deadline {
	var last *recoveryv1.Deadline
	for _, d := range c.GetDeadlines() {
		if d.GetMilestone() == recoveryv1.Milestone_MILESTONE_FIRST_RESPONSE {
			last = d
		}
	}
	return last
}

// failures writes what happened, one failure a paragraph.
func (w *writer) failures(c *recoveryv1.Case) {
	w.section("WHAT HAPPENED", fmt.Sprintf("severity %.2f of 1", c.GetAssessment().GetSeverity()))
	rows := make([][]string, 0, len(c.GetFailures()))
	for _, f := range c.GetFailures() {
		rows = append(rows, []string{w.moment(f.GetOccurredAt()), w.bold(what(f)) + w.dim(unbroken+"· "+chain(how(f)))})
	}
	if len(rows) > 0 {
		w.grid(2, rows)
	}
}

// what names the kinds: "late by 45 min, quality".
func what(f *recoveryv1.Failure) string {
	kinds := make([]string, 0, len(f.GetKinds()))
	for _, kind := range f.GetKinds() {
		text := plain(kind)
		if kind == recoveryv1.FailureKind_FAILURE_KIND_LATE && f.HasDelay() {
			text += " by " + Span(f.GetDelay().AsDuration())
		}
		kinds = append(kinds, text)
	}
	return strings.Join(kinds, ", ")
}

// how tells the rest of a failure: how we know, what was at stake, what became of it.
func how(f *recoveryv1.Failure) []string {
	voice := plain(f.GetVoice())
	if f.GetChannel() != recoveryv1.Channel_CHANNEL_UNSPECIFIED {
		voice += " (" + plain(f.GetChannel()) + ")"
	}
	parts := []string{voice, plain(f.GetCorroboration()), plain(f.GetAcceptance())}
	if f.GetReach() > 0 {
		parts = append(parts, fmt.Sprintf("seen by up to %d", f.GetReach()))
	}
	if !isZero(f.GetOrderValue()) {
		parts = append(parts, "worth "+Money(f.GetOrderValue()))
	}
	if !isZero(f.GetLoss()) && Money(f.GetLoss()) != Money(f.GetOrderValue()) {
		parts = append(parts, "lost "+Money(f.GetLoss()))
	}
	return append(parts, fmt.Sprintf("severity %.2f", f.GetSeverity()))
}

// trace names the call that opened the case, if it was traced, for whoever looks into how it went.
func (w *writer) trace(c *recoveryv1.Case) {
	if parts := strings.Split(c.GetTraceParent(), "-"); len(parts) == 4 {
		w.line("")
		w.prose(0, w.dim("trace "+parts[1]+" ("+together("amends trace "+c.GetCaseId())+")"))
	}
}
