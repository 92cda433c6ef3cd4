package ledger

import (
	"github.com/makeamends/amends/internal/recovery"
	ledgerv1 "github.com/makeamends/amends/proto/recovery/ledger/v1"
)

func assessmentRecord(a recovery.Assessment) *ledgerv1.Assessment {
	return ledgerv1.Assessment_builder{
		At:              nanos(a.At),
		Severity:        a.Severity,
		Ignored:         a.Risk.Ignored,
		OnTime:          a.Risk.OnTime,
		Late:            a.Risk.Late,
		Band:            uint32(a.Risk.Band),
		Baseline:        a.Baseline,
		Escalation:      a.Escalation,
		DoubleDeviation: a.Double,
		Causes:          convert(a.Causes, func(c recovery.Code) uint32 { return uint32(c) }),
		Repeat:          a.Repeat,
		Positives:       a.Positives,
		Owed:            a.Owed,
		Level:           uint32(a.Level),
		Reasons:         convert(a.Reasons, reasonRecord),
		LogOdds:         a.LogOdds,
		Noticed:         a.Noticed,
		Patience:        a.Patience,
		Relationship:    uint32(a.Relationship),
	}.Build()
}

func assessmentOf(m *ledgerv1.Assessment) recovery.Assessment {
	return recovery.Assessment{
		At:       moment(m.GetAt()),
		Severity: m.GetSeverity(),
		Risk: recovery.Risk{
			Ignored: m.GetIgnored(),
			OnTime:  m.GetOnTime(),
			Late:    m.GetLate(),
			Band:    recovery.Band(m.GetBand()),
		},
		Baseline:     m.GetBaseline(),
		Escalation:   m.GetEscalation(),
		Double:       m.GetDoubleDeviation(),
		Causes:       convert(m.GetCauses(), func(c uint32) recovery.Code { return recovery.Code(c) }),
		Repeat:       m.GetRepeat(),
		Positives:    m.GetPositives(),
		Owed:         m.GetOwed(),
		Level:        recovery.ServiceLevel(m.GetLevel()),
		Reasons:      convert(m.GetReasons(), reasonOf),
		LogOdds:      m.GetLogOdds(),
		Noticed:      m.GetNoticed(),
		Patience:     m.GetPatience(),
		Relationship: recovery.Relationship(m.GetRelationship()),
	}
}

func reasonRecord(r recovery.Reason) *ledgerv1.Reason {
	return ledgerv1.Reason_builder{
		Code:         uint32(r.Code),
		Contribution: r.Contribution,
	}.Build()
}

func reasonOf(m *ledgerv1.Reason) recovery.Reason {
	return recovery.Reason{
		Code:         recovery.Code(m.GetCode()),
		Contribution: m.GetContribution(),
	}
}

func recommendationRecord(r recovery.Recommendation) *ledgerv1.Recommendation {
	return ledgerv1.Recommendation_builder{
		Items:         convert(r.Items, itemRecord),
		Currency:      r.Currency,
		Ratio:         r.Ratio,
		Apology:       apologyRecord(r.Apology),
		Options:       uint64(r.Options),
		ReviewReasons: r.ReviewReasons,
		ExpiresAt:     nanos(r.ExpiresAt),
	}.Build()
}

func recommendationOf(m *ledgerv1.Recommendation) recovery.Recommendation {
	return recovery.Recommendation{
		Items:         convert(m.GetItems(), itemOf),
		Currency:      m.GetCurrency(),
		Ratio:         m.GetRatio(),
		Apology:       apologyOf(m.GetApology()),
		Options:       recovery.Picks(m.GetOptions()),
		ReviewReasons: m.GetReviewReasons(),
		ExpiresAt:     moment(m.GetExpiresAt()),
	}
}

func itemRecord(it recovery.Item) *ledgerv1.Item {
	return ledgerv1.Item_builder{
		Kind:     uint32(it.Kind),
		Medium:   uint32(it.Medium),
		Amount:   it.Amount,
		Approval: it.Approval,
		Menu:     it.Menu,
	}.Build()
}

func itemOf(m *ledgerv1.Item) recovery.Item {
	return recovery.Item{
		Kind:     recovery.ItemKind(m.GetKind()),
		Medium:   recovery.Medium(m.GetMedium()),
		Amount:   m.GetAmount(),
		Approval: m.GetApproval(),
		Menu:     m.GetMenu(),
	}
}

func apologyRecord(a recovery.Apology) *ledgerv1.Apology {
	return ledgerv1.Apology_builder{
		Include: uint64(a.Include),
		Avoid:   uint64(a.Avoid),
		Speaker: uint32(a.Speaker),
		Form:    uint32(a.Form),
	}.Build()
}

func apologyOf(m *ledgerv1.Apology) recovery.Apology {
	return recovery.Apology{
		Include: recovery.Picks(m.GetInclude()),
		Avoid:   recovery.Picks(m.GetAvoid()),
		Speaker: recovery.Speaker(m.GetSpeaker()),
		Form:    recovery.Form(m.GetForm()),
	}
}
