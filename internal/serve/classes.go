package serve

import recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"

// class says who goes without when there is more to do than can be done.
type class uint8

// The classes, in the order in which they are carried out when all wait. The
// last are refused first.
const (
	keeping   class = iota // keeps what a customer was promised
	reporting              // tells of a failure that the customer has just met
	asking                 // about one customer: can be asked again
	bulk                   // about many, or about policies: large, and in no hurry
	classes
)

// shares is how much of the limit the calls of a class may take together with
// those of all others: each leaves room for those before it.
var shares = [classes]float64{keeping: 1, reporting: 7. / 8, asking: 3. / 4, bulk: 1. / 2}

// kind is what admission knows of a method.
type kind struct {
	class class
	pace  int // index of the time that a call takes; unpaced: it depends on what is asked for
}

const unpaced = -1

// kinds are the unary methods of the contract, by full name. Streams are counted
// for themselves; health checks and reflection are never refused.
var kinds = kindsOf([classes][]string{
	keeping: {
		recoveryv1.RecoveryService_AcknowledgeCase_FullMethodName,
		recoveryv1.RecoveryService_RecordContact_FullMethodName,
		recoveryv1.RecoveryService_HoldCase_FullMethodName,
		recoveryv1.RecoveryService_ReleaseCase_FullMethodName,
		recoveryv1.RecoveryService_RequestOffer_FullMethodName,
		recoveryv1.RecoveryService_ApproveOffer_FullMethodName,
		recoveryv1.RecoveryService_MakeOffer_FullMethodName,
		recoveryv1.RecoveryService_AnswerOffer_FullMethodName,
		recoveryv1.RecoveryService_ResolveCase_FullMethodName,
		recoveryv1.RecoveryService_RecordFollowUp_FullMethodName,
		recoveryv1.RecoveryService_ReopenCase_FullMethodName,
	},
	reporting: {recoveryv1.RecoveryService_ReportFailure_FullMethodName},
	asking: {
		recoveryv1.RecoveryService_AssessCustomer_FullMethodName,
		recoveryv1.RecoveryService_GetCase_FullMethodName,
		recoveryv1.RecoveryService_EraseCustomer_FullMethodName,
		recoveryv1.PolicyService_GetPolicy_FullMethodName,
	},
	bulk: {
		recoveryv1.RecoveryService_RecordInteractions_FullMethodName,
		recoveryv1.RecoveryService_ListCases_FullMethodName,
		recoveryv1.PolicyService_ListPolicies_FullMethodName,
		recoveryv1.PolicyService_CheckPolicy_FullMethodName,
		recoveryv1.PolicyService_SimulatePolicy_FullMethodName,
	},
})

func kindsOf(methods [classes][]string) map[string]kind {
	all, paces := map[string]kind{}, 0
	for c, names := range methods {
		for _, name := range names {
			k := kind{class(c), unpaced}
			if k.class != bulk {
				k.pace = paces
				paces++
			}
			all[name] = k
		}
	}
	return all
}

// classOf is the class of a request. A dry run can be asked again, whatever it
// is a trial of.
func classOf(k kind, req any) class {
	if trial, ok := req.(interface{ GetValidateOnly() bool }); ok && trial.GetValidateOnly() {
		return max(k.class, asking)
	}
	return k.class
}
