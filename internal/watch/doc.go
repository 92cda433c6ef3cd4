// Package watch hands the transitions of cases to everybody who follows them.
//
// One [Hub] a process reads the streams of the ledger while somebody watches,
// and gives what it reads to every [Watcher]: each has a queue of its own, and
// whoever lets it fill up is dropped, so that nobody waits for anybody. The
// streams in Redis are the memory: a watcher that comes back with its token
// reads on by itself from where it was, and joins the others when it has caught
// up with them.
//
// What is promised: the events of one bucket, and so of one case, arrive in
// order and each once, or the watch ends with [ErrResync]. A token is good in
// every process of the same ledger, for its tenant alone.
package watch
