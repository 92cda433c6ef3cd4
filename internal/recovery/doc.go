// Package recovery decides what a failed customer is owed.
//
// It is the whole judgement of the service, written as pure values and
// functions on the standard library alone: no clock, context, log, protobuf,
// Redis or randomness. A [Customer] is what is remembered of one person, an
// [Event] is one service failure, a [Policy] holds every number, and the
// moment is always an argument. The same inputs give the same answer
// everywhere: in the server, a dry run, a test, a backtest.
//
// Read [Report] first: it is the story of one failure from arrival to promise.
// Then [Decide], which is the judgement in four lines, and from there one file
// a question: severity.go (how bad was it), memory.go (what do we remember),
// risk.go (will they leave, and why), deviation.go (did the recovery itself
// fail), deadline.go (by when must somebody answer), compensation.go (what
// should we give), menu.go (which gestures and choices), review.go (must a
// human look first), apology.go (what to say and what to avoid), tick.go (what
// does time do by itself).
//
// Limits. The defaults are a prior built from published studies and, where
// those are silent, from judgement; each parameter of the policy says which.
// Scores order customers and explain themselves; they are not calibrated
// probabilities until an operator has compared them with recorded outcomes.
package recovery
