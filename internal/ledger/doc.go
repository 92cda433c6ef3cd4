// Package ledger keeps customers in Redis.
//
// A customer is one hash. Every change goes through [Ledger.Update], which is
// three steps: load the hash in one round trip, let a pure function judge, and
// commit everything or nothing in one script that first compares the version.
// When somebody else was faster, all three are done again. Where the process
// remembers the customer the first step is left out, and the script tells what
// stands if it is not that. So there is no lock, nothing is decided on what has
// meanwhile changed, and a request that was carried out is answered from its
// record, byte for byte, ever after (7 days).
//
// The keys of Redis, where b017 is the bucket that a customer's key falls into,
// and the braces make all of a bucket live on one node of a cluster:
//
//	{b017}:c<key>   hash    one customer
//	{b017}:due      zset    customer keys by the next moment, in ms, at which time alone changes something
//	{b017}:open:<t> zset    cases of tenant <t> that are not closed, as <key>.<number>, by their next deadline, in ms
//	{b017}:ev       stream  transitions of cases, numbered 1-0, 1-1, ... without gaps
//	{b017}:erased   zset    numbers of the events that were erased from the stream
//	{b017}:w        string  nothing; written where WAIT needs a write to wait for
//	{budget}:<t>:<d> hash  what tenant <t> gave away on the UTC day <d>, and who holds how much of it
//	{budget}:most:<c>:<d> zset tenants by what they gave away in currency <c> on the day <d>
//	{budget}:due    zset    bookings of a budget by when they are to be looked at again, in ms
//	amends:meta     hash    what all processes must agree on: buckets, fingerprint of the secret
//	amends:policies hash    every policy that a case was ever opened with, by version
//	amends:words    hash    what stored answers are kept without, by its hash; see [Words]
//
// and the fields of a customer's hash:
//
//	v           version and nonce of the call that wrote it, and which of its attempts if not the first: 7.nonce or 7.nonce.2
//	s           ledgerv1.State: the memory and the open cases; with a case, in the brief form
//	k:<number>  ledgerv1.Case: one closed case, in the brief form; the newest 100 are kept
//	r:<hash>    ledgerv1.Seen: one request that was carried out, with its answer
//	d:<day>.<n> hashes of 32 requests first seen that day: what to remove 7 days later; what does not fill a list is in s
//	t           ledgerv1.Tombstone: alone in the hash, what is left of a customer who was erased, and hashes of what it asked for
//
// A customer who is erased leaves the tombstone behind, for as long as goodwill
// is counted: see [Ledger.Erase]. The budgets are in a slot of their own, so
// they are booked before the customer is changed: see [Ledger.Book].
//
// The size of a customer does not grow with its history: the memory is bounded,
// old closed cases go, answers live 7 days, and a customer without an open case
// goes after 400 days without a change.
//
// The sets of what is due and what is open are indexes: what counts is the customer. [Ledger.Due] and
// [Ledger.List] read them, and [Ledger.Repair] finds entries that were lost.
//
// No id that a caller chose and no text that a customer wrote is stored, only
// keyed hashes: without the secret the store cannot be joined with anything.
package ledger
