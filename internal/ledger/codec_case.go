package ledger

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/recovery"
	ledgerv1 "github.com/makeamends/amends/proto/recovery/ledger/v1"
)

func encodeCase(k recovery.Case) ([]byte, error) {
	return marshal.Marshal(caseRecord(k))
}

func decodeCase(b []byte) (recovery.Case, error) {
	var m ledgerv1.Case
	if err := proto.Unmarshal(b, &m); err != nil {
		return recovery.Case{}, err
	}
	return caseOf(&m), nil
}

func caseRecord(k recovery.Case) *ledgerv1.Case {
	return ledgerv1.Case_builder{
		Number:         k.Number,
		Order:          k.Order,
		Incident:       k.Incident,
		Policy:         k.Policy,
		State:          uint32(k.State),
		Outcome:        uint32(k.Outcome),
		Revision:       k.Revision,
		OpenedAt:       nanos(k.OpenedAt),
		ClosedAt:       nanos(k.ClosedAt),
		Failure:        failureRecord(k.Failure),
		Accounts:       convert(k.Accounts, failureRecord),
		Profile:        profileRecord(k.Profile),
		VoicedAt:       nanos(k.VoicedAt),
		AnsweredAt:     nanos(k.AnsweredAt),
		Refused:        k.Refused,
		Renewals:       int64(k.Renewals),
		TraceParent:    k.TraceParent,
		Assessment:     assessmentRecord(k.Assessment),
		Recommendation: recommendationRecord(k.Recommendation),
		Deadlines:      convert(k.Deadlines, deadlineRecord),
		History:        convert(k.History, transitionRecord),
		Offers:         convert(k.Offers, offerRecord),
		HeldSince:      nanos(k.HeldSince),
		ReopenedAt:     nanos(k.ReopenedAt),
		SpokenAt:       nanos(k.SpokenAt),
		ResidualBefore: k.Before,
	}.Build()
}

func caseOf(m *ledgerv1.Case) recovery.Case {
	return recovery.Case{
		Number:         m.GetNumber(),
		Order:          m.GetOrder(),
		Incident:       m.GetIncident(),
		Policy:         m.GetPolicy(),
		State:          recovery.State(m.GetState()),
		Outcome:        recovery.Outcome(m.GetOutcome()),
		Revision:       m.GetRevision(),
		OpenedAt:       moment(m.GetOpenedAt()),
		ClosedAt:       moment(m.GetClosedAt()),
		Failure:        failureOf(m.GetFailure()),
		Accounts:       convert(m.GetAccounts(), failureOf),
		Profile:        profileOf(m.GetProfile()),
		VoicedAt:       moment(m.GetVoicedAt()),
		AnsweredAt:     moment(m.GetAnsweredAt()),
		Refused:        m.GetRefused(),
		Renewals:       recovery.Renewals(m.GetRenewals()),
		TraceParent:    m.GetTraceParent(),
		Assessment:     assessmentOf(m.GetAssessment()),
		Recommendation: recommendationOf(m.GetRecommendation()),
		Deadlines:      convert(m.GetDeadlines(), deadlineOf),
		History:        convert(m.GetHistory(), transitionOf),
		Offers:         convert(m.GetOffers(), offerOf),
		HeldSince:      moment(m.GetHeldSince()),
		ReopenedAt:     moment(m.GetReopenedAt()),
		SpokenAt:       moment(m.GetSpokenAt()),
		Before:         m.GetResidualBefore(),
	}
}

func failureRecord(f recovery.Failure) *ledgerv1.Failure {
	return ledgerv1.Failure_builder{
		OccurredAt:  nanos(f.OccurredAt),
		ReceivedAt:  nanos(f.ReceivedAt),
		Kinds:       uint32(f.Kinds),
		Delay:       int64(f.Delay),
		Currency:    f.Currency,
		Value:       f.Value,
		Loss:        f.Loss,
		Entitlement: f.Entitlement,
		Stated:      f.Stated,
		Attribution: ledgerv1.Attribution_builder{
			Locus:           uint32(f.Attribution.Locus),
			Controllability: f.Attribution.Controllability,
			Recurring:       f.Attribution.Recurring,
			Motive:          uint32(f.Attribution.Motive),
		}.Build(),
		Acceptance: uint32(f.Acceptance),
		Voice:      uint32(f.Voice),
		Channel:    uint32(f.Channel),
		Reach:      f.Reach,
		DepartsAt:  nanos(f.DepartsAt),
		Resource:   uint32(f.Resource),
		Evidence:   uint32(f.Evidence),
		Stale:      f.Stale,
		Mixed:      f.Mixed,
		ChannelAt:  nanos(f.ChannelAt),
	}.Build()
}

func failureOf(m *ledgerv1.Failure) recovery.Failure {
	f := recovery.Failure{
		OccurredAt:  moment(m.GetOccurredAt()),
		ReceivedAt:  moment(m.GetReceivedAt()),
		Kinds:       recovery.KindSet(m.GetKinds()),
		Delay:       time.Duration(m.GetDelay()),
		Currency:    m.GetCurrency(),
		Value:       m.GetValue(),
		Loss:        m.GetLoss(),
		Entitlement: m.GetEntitlement(),
		Attribution: attributionOf(m.GetAttribution()),
		Acceptance:  recovery.Acceptance(m.GetAcceptance()),
		Voice:       recovery.Voice(m.GetVoice()),
		Channel:     recovery.Channel(m.GetChannel()),
		Reach:       m.GetReach(),
		DepartsAt:   moment(m.GetDepartsAt()),
		Resource:    recovery.Resource(m.GetResource()),
		Evidence:    recovery.Corroboration(m.GetEvidence()),
		Stale:       m.GetStale(),
		Mixed:       m.GetMixed(),
		ChannelAt:   moment(m.GetChannelAt()),
	}
	if m.HasStated() {
		f.Stated = new(m.GetStated())
	}
	return f
}

func attributionOf(m *ledgerv1.Attribution) recovery.Attribution {
	a := recovery.Attribution{
		Locus:     recovery.Locus(m.GetLocus()),
		Recurring: m.GetRecurring(),
		Motive:    recovery.Motive(m.GetMotive()),
	}
	if m.HasControllability() {
		a.Controllability = new(m.GetControllability())
	}
	return a
}

func profileRecord(p recovery.Profile) *ledgerv1.Profile {
	return ledgerv1.Profile_builder{
		Relationship:  uint32(p.Relationship),
		LifetimeValue: p.LifetimeValue,
		Orders:        p.Orders,
		Loyalty:       p.Loyalty,
	}.Build()
}

func profileOf(m *ledgerv1.Profile) recovery.Profile {
	return recovery.Profile{
		Relationship:  recovery.Relationship(m.GetRelationship()),
		LifetimeValue: m.GetLifetimeValue(),
		Orders:        m.GetOrders(),
		Loyalty:       m.GetLoyalty(),
	}
}

func deadlineRecord(d recovery.Deadline) *ledgerv1.Deadline {
	if d.Verdict != recovery.Pending {
		d.TraceParent = "" // nobody asks for it any more
	}
	return ledgerv1.Deadline_builder{
		Milestone: uint32(d.Milestone),
		DueAt:     nanos(d.DueAt),
		BoundBy:   uint32(d.BoundBy),
		Verdict:   uint32(d.Verdict),
		MetAt:     nanos(d.MetAt),
		Business:  d.Business,
		Warnings:  convert(d.Warnings, nanos),

		TraceParent: d.TraceParent,
	}.Build()
}

func deadlineOf(m *ledgerv1.Deadline) recovery.Deadline {
	return recovery.Deadline{
		Milestone: recovery.Milestone(m.GetMilestone()),
		DueAt:     moment(m.GetDueAt()),
		BoundBy:   recovery.Bound(m.GetBoundBy()),
		Verdict:   recovery.Verdict(m.GetVerdict()),
		MetAt:     moment(m.GetMetAt()),
		Business:  m.GetBusiness(),
		Warnings:  convert(m.GetWarnings(), moment),

		TraceParent: m.GetTraceParent(),
	}
}

func transitionRecord(t recovery.Transition) *ledgerv1.Transition {
	return ledgerv1.Transition_builder{
		At:        nanos(t.At),
		Change:    uint32(t.Change),
		Milestone: uint32(t.Milestone),
		Offer:     t.Offer,
	}.Build()
}

func transitionOf(m *ledgerv1.Transition) recovery.Transition {
	return recovery.Transition{
		At:        moment(m.GetAt()),
		Change:    recovery.Change(m.GetChange()),
		Milestone: recovery.Milestone(m.GetMilestone()),
		Offer:     m.GetOffer(),
	}
}
