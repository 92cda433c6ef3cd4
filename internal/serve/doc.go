// Package serve runs the service: the gRPC listener with its chain of
// interceptors, the listener for operators, the check that the store is still
// there, the reload of the policy file, and an orderly end.
//
// Read [Start] first: it is the wiring in one piece. What a call passes is in
// chain.go, when the service counts as ready in ready.go, how it ends in
// drain.go.
package serve
