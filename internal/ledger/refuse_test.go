package ledger

import (
	"errors"
	"testing"

	"github.com/makeamends/amends/internal/recovery"
)

// oneRefused: of several requests of one call judge refuses some. The others are
// carried out, and of the refused ones nothing is kept.
func oneRefused(t *testing.T, open opener) {
	l := open(t)
	unwelcome := errors.New("unwelcome")
	refusing := func(which ...int) Judge {
		return func(c recovery.Customer, fresh []int) (Judgement, error) {
			j, _ := count(c, fresh)
			j.Customer.Orders -= int64(len(which))
			j.Refused = make([]error, len(fresh))
			for _, i := range which {
				j.Refused[i] = unwelcome
			}
			return j, nil
		}
	}
	w := Write{Key: l.Key("shop", "one refused"), Tenant: "shop"}
	for _, r := range [][2]string{{"a", "1"}, {"b", "1"}, {"c", "1"}, {"b", "1"}, {"b", "2"}} {
		w.Requests = append(w.Requests, Request{ID: r[0], Payload: []byte(r[1])})
	}
	results, err := l.Update(t.Context(), w, refusing(1))
	if err != nil {
		t.Fatal(err, Cause(err))
	}
	for i, want := range []error{nil, unwelcome, nil, unwelcome, unwelcome} { // the id of the last was not used
		if r := results[i]; r.Err != want || r.Replayed || (r.Answer == nil) != (want != nil) {
			t.Errorf("request %d: %+v, want %v", i, r, want)
		}
	}
	before := mustLoad(t, l, w.Key)
	if before.Customer.Orders != 2 || before.Version != 1 {
		t.Errorf("%d orders in version %d, want 2 in one", before.Customer.Orders, before.Version)
	}

	all := Write{Key: w.Key, Requests: w.Requests[1:2]}
	if results, err = l.Update(t.Context(), all, refusing(0)); err != nil || results[0].Err != unwelcome {
		t.Errorf("all are refused: %+v, %v", results, err)
	}
	if after := mustLoad(t, l, w.Key); after.Version != before.Version {
		t.Errorf("what is refused as a whole was written")
	}
	if r := mustUpdate(t, l, all, count); r.Err != nil || r.Replayed || string(r.Answer) != "order 3" {
		t.Errorf("the refused request again: %+v", r)
	}
}
