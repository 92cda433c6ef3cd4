package show

import recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"

// Erasure writes what was removed of a customer, and what is kept and until when.
func Erasure(customer string, r *recoveryv1.EraseCustomerResponse, p Page) string {
	w := p.writer()
	if r.GetFound() {
		w.prose(0, w.bold("Erased customer "+customer))
		rows := [][]string{
			{count(r.GetCasesRemoved(), "case"), "with their offers and deadlines"},
			{count(r.GetFailuresRemoved(), "failure"), "that were remembered"},
			{count(r.GetAnswersRemoved(), "stored answer"), "to earlier calls: their ids are free again"},
			{count(r.GetEventsRemoved(), "transition"), "of what is watched"},
		}
		w.grid(2, rows)
	} else {
		w.prose(0, "Nothing was stored of customer "+customer+".")
	}
	if at := r.GetTombstoneExpiresAt(); at != nil {
		w.prose(0, "Kept until "+together(w.moment(at))+", under a keyed hash: how much was given automatically of late, and how many orders and "+
			"claims were counted, so that nobody is given the same goodwill twice by being forgotten.")
	} else {
		w.line("Nothing is kept.")
	}
	return w.String()
}
