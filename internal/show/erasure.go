package show

import recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"

// Erasure writes what was removed of a customer, and what is kept and until when.
func Erasure(customer string, r *recoveryv1.EraseCustomerResponse, p Page) string {
	w := p.writer()
	if r.GetFound() {
		w.prose(0, w.bold("Erased customer "+customer))
		rows := [][]string{
			{count(r.GetCasesRemoved(), "case"), "with " + ofSome(r.GetCasesRemoved(), "its", "their") + " offers and deadlines"},
			{count(r.GetFailuresRemoved(), "failure"), "that " + ofSome(r.GetFailuresRemoved(), "was", "were") + " remembered"},
			{count(r.GetAnswersRemoved(), "stored answer"), "to earlier calls"},
			{count(r.GetEventsRemoved(), "transition"), "of what is watched"},
		}
		w.grid(2, rows)
	} else {
		w.prose(0, "Nothing was stored of customer "+customer+".")
	}
	if at := r.GetTombstoneExpiresAt(); at != nil {
		w.prose(0, "Kept until "+together(w.moment(at))+", under a keyed hash: how much was given automatically of late, how many orders and "+
			"claims were counted, and keyed hashes of the ids of the last days, none of which is carried out again: so that nobody is given the "+
			"same goodwill twice by being forgotten.")
	} else {
		w.line("Nothing is kept.")
	}
	return w.String()
}

// ofSome is the word that goes with so many.
func ofSome(n int64, one, several string) string {
	if n == 1 {
		return one
	}
	return several
}
