// Package rpc answers the calls of the public contract (proto/recovery/v1).
//
// A handler decodes the request into values of package recovery, hands the
// ledger a function that judges them, and encodes what was decided. It holds no
// state of its own. A request passes, in this order:
//
//	wire.go      bytes become a message, or a fault that says why not
//	inspect.go   the rules of the contract and the clock: all faults at once
//	sound.go     what plainly keeps these rules, as nearly every report does
//	report.go, interactions.go, ingest.go   the handlers of what is told
//	steps.go, offers.go, erase.go           of what is done about it
//	customer.go, cases.go, list.go, watch.go, policies.go   of what is asked
//	fold.go      what is told of one customer becomes one change
//	backlog.go, window.go   what waits in a stream, and how much may
//	event.go, money.go    message → recovery, every default filled in
//	case.go, advice.go    recovery → bytes of the message
//	errors.go    the one table from errors to gRPC status
//
// Errors travel as plain Go errors until [Refuse] turns them into a status:
// gRPC codes appear nowhere else. No text of an error, span or metric made here
// holds an id or a text that a caller sent.
package rpc
