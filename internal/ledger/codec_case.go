package ledger

import "github.com/makeamends/amends/internal/recovery"

func encodeCase(k recovery.Case, brief bool) (string, error) {
	return writtenText(&k, caseFields, brief)
}

func decodeCase(text string) (recovery.Case, error) { return read(text, caseFields) }

func caseFields(r *record, k *recovery.Case) {
	number(r, 1, &k.Number)
	text(r, 2, &k.Order)
	text(r, 3, &k.Incident)
	text(r, 4, &k.Policy)
	number(r, 5, &k.State)
	number(r, 6, &k.Outcome)
	number(r, 7, &k.Revision)
	r.beginning(8, &k.OpenedAt)
	r.moment(9, &k.ClosedAt)
	part(r, 10, &k.Failure, failureFields)
	accountsFields(r, 11, k)
	part(r, 12, &k.Profile, profileFields)
	r.moment(13, &k.VoicedAt)
	r.moment(14, &k.AnsweredAt)
	r.flag(15, &k.Refused)
	number(r, 16, &k.Renewals)
	text(r, 17, &k.TraceParent)
	part(r, 18, &k.Assessment, assessmentFields)
	part(r, 19, &k.Recommendation, recommendationFields)
	parts(r, 20, &k.Deadlines, deadlineFields)
	parts(r, 21, &k.History, transitionFields)
	parts(r, 22, &k.Offers, offerFields)
	r.moment(23, &k.HeldSince)
	r.moment(24, &k.ReopenedAt)
	r.moment(25, &k.SpokenAt)
	r.float(26, &k.Before)
	r.begin = 0 // what follows is not of the case
}

func failureFields(r *record, f *recovery.Failure) {
	r.moment(1, &f.OccurredAt)
	r.moment(2, &f.ReceivedAt)
	number(r, 3, &f.Kinds)
	number(r, 4, &f.Delay)
	text(r, 5, &f.Currency)
	number(r, 6, &f.Value)
	number(r, 7, &f.Loss)
	number(r, 8, &f.Entitlement)
	r.stated(9, &f.Stated)
	part(r, 10, &f.Attribution, attributionFields)
	number(r, 11, &f.Acceptance)
	number(r, 12, &f.Voice)
	number(r, 13, &f.Channel)
	number(r, 14, &f.Reach)
	r.moment(15, &f.DepartsAt)
	number(r, 16, &f.Resource)
	number(r, 17, &f.Evidence)
	r.flag(18, &f.Stale)
	r.flag(19, &f.Mixed)
	r.moment(20, &f.ChannelAt)
}

func attributionFields(r *record, a *recovery.Attribution) {
	number(r, 1, &a.Locus)
	r.stated(2, &a.Controllability)
	r.flag(3, &a.Recurring)
	number(r, 4, &a.Motive)
}

func profileFields(r *record, p *recovery.Profile) {
	number(r, 1, &p.Relationship)
	number(r, 2, &p.LifetimeValue)
	number(r, 3, &p.Orders)
	r.flag(4, &p.Loyalty)
}

func deadlineFields(r *record, d *recovery.Deadline) {
	number(r, 1, &d.Milestone)
	r.moment(2, &d.DueAt)
	number(r, 3, &d.BoundBy)
	number(r, 4, &d.Verdict)
	r.moment(5, &d.MetAt)
	r.flag(6, &d.Business)
	r.moments(7, &d.Warnings)
	if r.reading || d.Verdict == recovery.Pending { // later nobody asks for it
		text(r, 8, &d.TraceParent)
	}
	parts(r, 9, &d.Beside, dueFields)
}

func dueFields(r *record, d *recovery.Due) {
	r.moment(1, &d.At)
	number(r, 2, &d.BoundBy)
	r.flag(3, &d.Business)
}

func transitionFields(r *record, t *recovery.Transition) {
	r.moment(1, &t.At)
	number(r, 2, &t.Change)
	number(r, 3, &t.Milestone)
	number(r, 4, &t.Offer)
}
