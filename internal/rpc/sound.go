package rpc

import (
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// The rules of the contract are general, and evaluating them for one event
// costs about as much as all of the decision. So an event is first looked at
// with plain comparisons. They may fail to see that an event is sound, and then
// the rules decide and find the words; they never call an event sound that the
// rules refuse, which a test tries on events of every kind.

const (
	since2000   = 946684800 // seconds: no time of the contract is earlier
	until2100   = 4102444800
	mostDelay   = 316224000 // seconds, 3660 days
	mostUnits   = 1_000_000_000_000
	mostKinds   = 8
	mostID      = 128
	mostTenant  = 64
	nanosOfUnit = 1_000_000_000
)

// sound reports whether an event certainly keeps the rules of the contract.
func sound(e *recoveryv1.FailureEvent) bool {
	return e != nil &&
		soundID(e.GetEventId()) && soundID(e.GetCustomerId()) && soundTenant(e.GetTenant()) &&
		(e.GetOrderId() == "" || soundID(e.GetOrderId())) &&
		(e.GetIncidentId() == "" || soundID(e.GetIncidentId())) &&
		e.HasOccurredAt() && soundTime(e.GetOccurredAt()) && soundTime(e.GetDepartsAt()) &&
		soundKinds(e.GetKinds()) && soundDelay(e.GetDelay()) && soundMoney(e) &&
		(!e.HasSeverity() || share(e.GetSeverity())) &&
		soundAttribution(e.GetAttribution()) &&
		below(e.GetAcceptance(), len(recoveryv1.Acceptance_name)) &&
		below(e.GetVoice(), len(recoveryv1.Voice_name)) &&
		below(e.GetChannel(), len(recoveryv1.Channel_name)) &&
		below(e.GetResourceLost(), len(recoveryv1.ResourceLost_name)) &&
		below(e.GetCorroboration(), len(recoveryv1.Corroboration_name)) &&
		below(e.GetCustomer().GetRelationship(), len(recoveryv1.Relationship_name)) &&
		e.GetCustomer().GetOrdersTotal() >= 0 && e.GetReach() >= 0 && e.GetLocale() == ""
}

// soundID sees visible ASCII only.
func soundID(id string) bool {
	if len(id) == 0 || len(id) > mostID {
		return false
	}
	for i := range len(id) {
		if id[i] < ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

func soundTenant(tenant string) bool {
	if len(tenant) > mostTenant {
		return false
	}
	for i := range len(tenant) {
		c := tenant[i]
		plain := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !plain && (i == 0 || c != '.' && c != '_' && c != '-') {
			return false
		}
	}
	return true
}

func soundTime(t *timestamppb.Timestamp) bool {
	return t == nil || t.GetSeconds() >= since2000 && t.GetSeconds() < until2100 && t.GetNanos() >= 0 && t.GetNanos() < nanosOfUnit
}

func soundDelay(d *durationpb.Duration) bool {
	return d == nil || d.GetSeconds() >= 0 && d.GetSeconds() < mostDelay && d.GetNanos() >= 0 && d.GetNanos() < nanosOfUnit
}

func soundKinds(kinds []recoveryv1.FailureKind) bool {
	if len(kinds) == 0 || len(kinds) > mostKinds {
		return false
	}
	var seen uint64
	for _, k := range kinds {
		if k <= 0 || !below(k, len(recoveryv1.FailureKind_name)) || seen&(1<<k) != 0 {
			return false
		}
		seen |= 1 << k
	}
	return true
}

func soundMoney(e *recoveryv1.FailureEvent) bool {
	currency := ""
	for _, m := range [...]*money.Money{e.GetOrderValue(), e.GetLoss(), e.GetEntitlement(), e.GetCustomer().GetLifetimeValue()} {
		if m == nil {
			continue
		}
		code := m.GetCurrencyCode()
		if !soundCode(code) || currency != "" && code != currency ||
			m.GetUnits() < 0 || m.GetUnits() >= mostUnits || m.GetNanos() < 0 || m.GetNanos() >= nanosOfUnit {
			return false
		}
		currency = code
	}
	return true
}

func soundCode(code string) bool {
	for i := range len(code) {
		if code[i] < 'A' || code[i] > 'Z' {
			return false
		}
	}
	return len(code) == 3
}

func soundAttribution(a *recoveryv1.Attribution) bool {
	return (!a.HasControllability() || share(a.GetControllability())) &&
		below(a.GetLocus(), len(recoveryv1.Locus_name)) && below(a.GetMotive(), len(recoveryv1.Motive_name))
}

// share is false for what is not a number, too.
func share(x float64) bool { return x >= 0 && x <= 1 }

// below reports whether an enumeration of that many values has this one; their
// numbers have no gaps.
func below[E ~int32](value E, values int) bool { return value >= 0 && int(value) < values }
