package rpc

import (
	"strings"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/types/known/timestamppb"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// The rules of the contract are the .proto files, and reading them takes longer
// than deciding the case. Nearly every report and every good experience keeps all of
// them and is plain besides: its ids are in ASCII, its numbers ordinary. What follows sees that and
// nothing else. It may doubt what is sound, which the rules then look at; it must
// not pass what they would refuse, and a test compares the two.

const (
	earliest   = 946684800  // seconds: the year 2000
	latest     = 4102444800 // the year 2100
	mostDelay  = 316224000
	mostUnits  = 1_000_000_000_000
	mostBatch  = 1000
	mostOrders = 1_000_000_000
)

// plainlySound reports whether an event obviously keeps the rules of the contract.
func plainlySound(e *recoveryv1.FailureEvent) bool {
	return e != nil &&
		plainText(e.GetEventId(), 1) && plainText(e.GetCustomerId(), 1) && plainText(e.GetOrderId(), 0) && plainText(e.GetIncidentId(), 0) &&
		plainTenant(e.GetTenant()) && e.GetLocale() == "" &&
		plainTime(e.GetOccurredAt()) && (!e.HasDepartsAt() || plainTime(e.GetDepartsAt())) &&
		plainKinds(e.GetKinds()) &&
		0 <= e.GetDelay().GetSeconds() && e.GetDelay().GetSeconds() < mostDelay && 0 <= e.GetDelay().GetNanos() && e.GetDelay().GetNanos() < 1e9 &&
		0 <= e.GetSeverity() && e.GetSeverity() <= 1 && 0 <= e.GetReach() &&
		known(e.GetAcceptance(), recoveryv1.Acceptance_ACCEPTANCE_REJECTED) &&
		known(e.GetVoice(), recoveryv1.Voice_VOICE_PUBLIC) &&
		known(e.GetChannel(), recoveryv1.Channel_CHANNEL_ANTI_BRAND_SITE) &&
		known(e.GetResourceLost(), recoveryv1.ResourceLost_RESOURCE_LOST_TIME) &&
		known(e.GetCorroboration(), recoveryv1.Corroboration_CORROBORATION_CLAIM_ONLY) &&
		plainAttribution(e.GetAttribution()) && plainProfile(e.GetCustomer()) && plainSums(e)
}

// plainlySoundBatch reports whether all good experiences of a batch do.
func plainlySoundBatch(batch []*recoveryv1.Interaction) bool {
	for _, item := range batch {
		if !plainText(item.GetInteractionId(), 1) || !plainText(item.GetCustomerId(), 1) || !plainText(item.GetOrderId(), 0) ||
			!plainTenant(item.GetTenant()) || !plainTime(item.GetOccurredAt()) ||
			item.GetKind() == 0 || !known(item.GetKind(), recoveryv1.InteractionKind_INTERACTION_KIND_REFERRAL) {
			return false
		}
	}
	return 1 <= len(batch) && len(batch) <= mostBatch
}

func plainAttribution(a *recoveryv1.Attribution) bool {
	return known(a.GetLocus(), recoveryv1.Locus_LOCUS_NONE) && known(a.GetMotive(), recoveryv1.Motive_MOTIVE_GREED) &&
		0 <= a.GetControllability() && a.GetControllability() <= 1
}

func plainProfile(c *recoveryv1.CustomerProfile) bool {
	return known(c.GetRelationship(), recoveryv1.Relationship_RELATIONSHIP_STEADY) &&
		0 <= c.GetOrdersTotal() && c.GetOrdersTotal() <= mostOrders
}

// known reports whether an enumeration has that value; they have no gaps.
func known[E ~int32](v, last E) bool { return 0 <= v && v <= last }

// plainText reports whether a text is of printable ASCII, and of no forbidden length.
func plainText(s string, least int) bool {
	if len(s) < least || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func plainTenant(s string) bool {
	return len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

func plainTime(t *timestamppb.Timestamp) bool {
	return t != nil && earliest <= t.GetSeconds() && t.GetSeconds() < latest && 0 <= t.GetNanos() && t.GetNanos() < 1e9
}

func plainKinds(kinds []recoveryv1.FailureKind) bool {
	seen := uint64(1) // that of unspecified
	for _, k := range kinds {
		if !known(k, recoveryv1.FailureKind_FAILURE_KIND_UNSAFE) || seen&(1<<k) != 0 {
			return false
		}
		seen |= 1 << k
	}
	return 1 <= len(kinds) && len(kinds) <= 8
}

// plainSums reports whether all money is ordinary, and of one currency.
func plainSums(e *recoveryv1.FailureEvent) bool {
	currency := currencyOf(e)
	for _, s := range sums(e) {
		if s.money != nil && (s.money.GetCurrencyCode() != currency || !plainMoney(s.money)) {
			return false
		}
	}
	return true
}

func plainMoney(m *money.Money) bool {
	return 0 <= m.GetUnits() && m.GetUnits() < mostUnits && 0 <= m.GetNanos() && m.GetNanos() < 1e9 &&
		len(m.GetCurrencyCode()) == 3 && strings.Trim(m.GetCurrencyCode(), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}
