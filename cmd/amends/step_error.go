package main

import (
	"errors"
	"strings"

	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/client"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// advise adds to the error of a step what to do next, where the caller can know more of that than the service.
func (s *stepping) advise(err error) {
	var call *callError
	if !errors.As(err, &call) {
		return
	}
	look := "amends case " + shellWord(s.caseID)
	switch client.Reason(err) {
	case recoveryv1.ErrorReason_ERROR_REASON_WRONG_STATE:
		call.wrong, call.advice = s.stands, "See where it stands: "+look
		message := status.Convert(err).Message()
		switch possible := possible(message); {
		case s.stands != "":
		case strings.Contains(message, "is RESOLVED; it allows ReopenCase"):
			call.advice = "It is closed, since it was withdrawn or has lapsed: amends reopen " + shellWord(s.caseID) + "\n" + call.advice
		case len(possible) > 0:
			call.advice = "That is: " + strings.Join(possible, ", ") + "\n" + call.advice
		}
	case recoveryv1.ErrorReason_ERROR_REASON_REVISION_MISMATCH:
		call.wrong, call.advice = s.stands, "Look at it again, then decide anew: "+look
	case recoveryv1.ErrorReason_ERROR_REASON_CASE_NOT_FOUND:
		call.advice = noCaseAdvice(s.caseID)
	case recoveryv1.ErrorReason_ERROR_REASON_OFFER_NOT_FOUND:
		call.advice = "See which it has: " + look
	case recoveryv1.ErrorReason_ERROR_REASON_NOTHING_TO_OFFER:
		call.advice = "Name an amount with --goodwill, or go on without an offer: amends resolve " + shellWord(s.caseID) + " satisfied"
	}
}

// noCaseAdvice says where to find the id of a case; what does not look like one is probably the id of a customer.
func noCaseAdvice(id string) string {
	if !isCaseID(id) {
		return "That does not look like the id of a case. If it is that of a customer: amends cases --customer " + shellWord(id)
	}
	return "See which there are: amends cases"
}

// possible are the commands for the steps that the service names in its message.
func possible(message string) []string {
	var commands []string
	for _, s := range steps {
		if strings.Contains(message, s.method) {
			commands = append(commands, "amends "+s.name)
		}
	}
	return commands
}

// choiceError says why no offer could be chosen for a step.
type choiceError struct{ text string }

func (e *choiceError) Error() string { return e.text }
