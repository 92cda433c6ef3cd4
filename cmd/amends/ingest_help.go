package main

const ingestHelp = `Take in failures and good experiences from files, in bulk. Each record is judged like a
call of its own; a faulty one holds up no other. The order of the file is kept.

JSON: one record a line (NDJSON), or an array.

  {"failure": {"eventId": "e-1", "customerId": "c-1", "occurredAt": "2026-03-01T18:30:00Z",
    "kinds": ["LATE"], "delay": "2700s"}}
  {"interaction": {"interactionId": "i-1", "customerId": "c-1", "occurredAt": …,
    "kind": "PRAISE"}}

The wrapping may be left out where a field tells what it is, as eventId, kinds or
interactionId do.

CSV: a header, then one record a line, with commas, semicolons or tabs between the cells,
in UTF-8. An empty cell says nothing. Columns of failures:

  event_id, customer_id, occurred_at, kinds, delay, order_id, incident_id, order_value,
  loss, entitlement, severity, acceptance, voice, channel, reach, departs_at,
  resource_lost, corroboration, locale, locus, controllability, recurring, motive,
  relationship, lifetime_value, orders_total, loyalty_member, tenant

and of good experiences:

  interaction_id, customer_id, occurred_at, kind, order_id, tenant

With both in one file a column type says failure or interaction, and the column id may
stand for either id. Without it the header must tell, as with --make-ids and no id: kinds or
delay are of failures alone, kind with no such column is of good experiences. No two columns
may say the same of a record. Several kinds have | between them (LATE|QUALITY); times are
RFC 3339 (2026-03-01T18:30:00Z); a delay is 45m, 1h30m or 2d; money is 18.50 GBP, or 18.50
where a column currency says GBP. Amounts are read digit by digit and never rounded.

Files may be packed with gzip. --dry-run finds all faults that need no service.

IDS. An id says which record it is: sent again, it counts once. So a file may be sent
twice, and one that was cut off, from the beginning. For records without an id,
--make-ids makes one of their content: the same record has the same id wherever it
stands, so that two equal lines count once. What differs, if only in a second, counts.

WHAT IS REFUSED goes to FILE.rejects.ndjson, with line, reasons and the record itself: mend
it there, then take in that file. It holds customer data in clear; only its owner may read
it. Remove it when it is done. Records of standard input and of pipes, such as <(program),
are kept with --rejects only. What such a file holds is never overwritten, whatever its
name: nothing is taken in from the beginning while it is there.

SEVERAL FILES are taken in one after the other, in the order in which they are named. One
that does not come to its end, for it cannot be read or no service answers, holds up those
behind it, which may tell what happened later: they are not begun. Records that are refused
hold up nothing. A dry run looks at all.

WHAT IS INTERRUPTED goes on. FILE.progress remembers how far the file has come, by count and
hash; the same command goes on there, and removes it at the end. A file that has changed
before that place begins anew. Standard input and pipes need --progress, and must be the
same again.

HOW FAST. Where the service has an access file, each record counts as a call of its caller
and waits for its turn: 200 a second unless the file says otherwise, so that ten million
take 14 hours. Give loads a caller of their own, with limits: {calls_per_second: 5000}.

A connection that is lost is opened again, and what was not answered is sent again;
--timeout is how long to try. Ctrl-C waits some seconds for the answers under way.`
