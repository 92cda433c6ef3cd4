// Package auth decides who may call what: it reads the access file, tells a
// caller by a verified certificate or token, and knows the roles that each
// method needs.
//
// What a call passes is [Guard.Admit], in this order: the method is looked up in
// the one table of methods.go, where everything that has no row is refused; the
// caller is found (certificate.go, token.go); its limits are counted (limit.go);
// its roles are compared with those of the method. What tenants it may act for
// is asked later, where the tenant of an object is known: [Caller.ActsFor].
//
// The package verifies and knows nothing of gRPC. Its errors are fixed words:
// nothing of a certificate or a token is in any of them.
package auth
