package recovery

import "slices"

// Step is something that happens to a case: what somebody does about it, what
// the customer does, or what time does.
type Step uint8

// The steps.
const (
	StepReport Step = iota + 1 // a further failure joins it
	StepAcknowledge
	StepContactOutbound // we reach out
	StepContactInbound  // the customer does
	StepHold
	StepRelease
	StepRequestOffer
	StepApproveOffer
	StepMakeOffer
	StepAcceptOffer
	StepRefuseOffer
	StepResolve
	StepFollowUp
	StepReopen
	StepExpireOffer  // nobody answered in time
	StepMissFollowUp // nobody asked afterwards
	StepLapse        // nobody ever spoke about it
	steps
)

// life is the life of a case: which step can be taken in which state, and the
// state that it leads to. What is not listed cannot be done.
var life = [steps][FollowedUp + 1]State{
	StepReport:          {Open: Open, Acknowledged: Acknowledged, Offered: Offered, Resolved: Open},
	StepAcknowledge:     {Open: Acknowledged, Acknowledged: Acknowledged, Offered: Offered},
	StepContactOutbound: {Open: Acknowledged, Acknowledged: Acknowledged, Offered: Offered, Resolved: Resolved},
	StepContactInbound:  {Open: Open, Acknowledged: Acknowledged, Offered: Offered, Resolved: Resolved},
	StepHold:            {Open: Open, Acknowledged: Acknowledged, Offered: Offered},
	StepRelease:         {Open: Open, Acknowledged: Acknowledged, Offered: Offered},
	StepRequestOffer:    {Open: Open, Acknowledged: Acknowledged, Offered: Offered},
	StepApproveOffer:    {Open: Open, Acknowledged: Acknowledged, Offered: Offered},
	StepMakeOffer:       {Open: Offered, Acknowledged: Offered, Offered: Offered},
	StepAcceptOffer:     {Offered: Offered},
	StepRefuseOffer:     {Offered: Acknowledged},
	StepResolve:         {Open: Resolved, Acknowledged: Resolved, Offered: Resolved},
	StepFollowUp:        {Resolved: FollowedUp},
	StepReopen:          {Resolved: Open, FollowedUp: Open},
	StepExpireOffer:     {Open: Open, Acknowledged: Acknowledged, Offered: Offered},
	StepMissFollowUp:    {Resolved: Open},
	StepLapse:           {Open: Resolved, Acknowledged: Resolved, Offered: Resolved, Resolved: Resolved},
}

// stepNames are how the steps are called in the contract; of what time does and
// of reports, what happens.
var stepNames = [steps]string{
	StepReport:          "ReportFailure",
	StepAcknowledge:     "AcknowledgeCase",
	StepContactOutbound: "RecordContact(OUTBOUND)",
	StepContactInbound:  "RecordContact(INBOUND)",
	StepHold:            "HoldCase",
	StepRelease:         "ReleaseCase",
	StepRequestOffer:    "RequestOffer",
	StepApproveOffer:    "ApproveOffer",
	StepMakeOffer:       "MakeOffer",
	StepAcceptOffer:     "AnswerOffer(ACCEPTED)",
	StepRefuseOffer:     "AnswerOffer(REFUSED)",
	StepResolve:         "ResolveCase",
	StepFollowUp:        "RecordFollowUp",
	StepReopen:          "ReopenCase",
	StepExpireOffer:     "offer expires",
	StepMissFollowUp:    "follow-up missed",
	StepLapse:           "lapses",
}

// String gives the name of the call that takes the step, or what happens.
func (s Step) String() string { return name(stepNames[:], uint8(s)) }

// Asked reports whether somebody asks for the step, other than by a report.
func (s Step) Asked() bool { return s >= StepAcknowledge && s <= StepReopen }

// Move is one line of the life of a case.
type Move struct {
	From, To State
	Step     Step
}

// Moves gives the whole life of a case, by state and step.
func Moves() (all []Move) {
	for from := Open; from <= FollowedUp; from++ {
		for step := StepReport; step < steps; step++ {
			if to := life[step][from]; to != 0 {
				all = append(all, Move{from, to, step})
			}
		}
	}
	return all
}

// enter moves the case on. Whoever calls it has made sure that the step can be
// taken.
func (k *Case) enter(step Step) {
	if to := life[step][k.State]; to != 0 {
		k.State = to
	}
}

// allowed gives the steps that can be asked for, as the case stands.
func (k *Case) allowed() (list []Step) {
	for step := StepAcknowledge; step <= StepReopen; step++ {
		if k.allows(step) {
			list = append(list, step)
		}
	}
	return list
}

func (k *Case) allows(step Step) bool {
	if life[step][k.State] == 0 {
		return false
	}
	switch step {
	case StepHold:
		return !k.held()
	case StepRelease:
		return k.held()
	case StepRequestOffer:
		return !k.hasOffer(Made)
	case StepApproveOffer:
		return k.hasOffer(ApprovalRequired)
	case StepMakeOffer:
		return k.hasOffer(Proposed, Approved)
	case StepAcceptOffer, StepRefuseOffer:
		return k.hasOffer(Made)
	default:
		return step == StepReopen || !k.closed()
	}
}

func (k *Case) hasOffer(in ...OfferState) bool {
	return slices.ContainsFunc(k.Offers, func(o Offer) bool { return slices.Contains(in, o.State) })
}

// closed reports whether nothing more is expected of a case: it was ended and
// no follow-up is due.
func (k *Case) closed() bool {
	return k.State >= Resolved && !slices.ContainsFunc(k.Deadlines, func(d Deadline) bool { return d.Verdict == Pending })
}
