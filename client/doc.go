// Package client calls Amends from Go: one connection to any number of
// replicas, set up so that a rolling restart fails no call.
//
// Calls go to the replicas in turn, but only to those whose health check says
// SERVING. While none does, a call waits. One that ends as UNAVAILABLE is
// repeated up to four times within its time, which is safe because it is the
// same message with the same id: the service answers a repetition with its
// first answer. What the service asks to repeat later (CONFLICT, OVERLOADED) is
// repeated when it says, if there is time. [Client.Watch] and [Client.IngestAll]
// go on over the streams that end under them. Ids are the caller's: an id made up
// here would be another one after a crash of the caller, and count twice.
//
// The settings are a gRPC service config, [ServiceConfig], which clients in
// other languages can use as it is.
package client
