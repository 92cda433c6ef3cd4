// Package policy loads the file that holds every number of the decision.
//
// A policy is one YAML file, read straight into the message of
// proto/recovery/policy/v1 and compiled into a [recovery.Policy]. It is
// complete, so that the same file always decides the same way, and immutable:
// its version is a hash of its text. [Parse] reports every fault at once, each
// with its line and column; [Default] is the policy that is built in; [Book]
// keeps the active policy and those that open cases were opened with; [Watch]
// reloads a file when it changes; [RunTrials] tries a policy on cases whose
// outcome its author expects.
//
// Two choices shape it. The file is read by package document, where the rules of
// single fields stand in the schema; what several fields must agree on stands
// here, in one file for each section of the policy. And the conditions of the
// menu are CEL: checked by its library when the policy is loaded, then turned
// into Go functions, since the menu is gone through for every single failure.
package policy
