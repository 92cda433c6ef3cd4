package ledger

import (
	"fmt"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
)

// A customer who is in touch five times a day for eleven years takes no more
// room than one who began a year ago.
func TestACustomerDoesNotGrow(t *testing.T) {
	t.Parallel()
	at := newClock()
	l := openAt(t, redistest.Server(t).URL(), func(o *Options) { o.Now = at.Now })
	key := l.Key("shop", "old friend")
	judge := func(c recovery.Customer, fresh []int) (Judgement, error) {
		if len(c.Open) >= 3 {
			return closes(c, fresh)
		}
		j, err := opens(c, fresh[:1])
		j.Customer.Failures = append(c.Failures[max(0, len(c.Failures)-recovery.MostFailures+1):], recovery.Past{Case: c.Cases, At: at.Now()})
		for len(j.Answers) < len(fresh) {
			j.Answers = append(j.Answers, make([]byte, 500))
		}
		return j, err
	}
	const updates = 4_000 // of five requests each
	var bytes, fields int
	for i := range updates {
		at.add(24 * time.Hour)
		w := one(l, "old friend", fmt.Sprint("request ", i))
		for j := range 4 {
			w.Requests = append(w.Requests, Request{ID: fmt.Sprint("request ", i, " ", j)})
		}
		mustUpdate(t, l, w, judge)
		if i == updates/10 {
			bytes, fields = size(t, l, key)
		}
	}
	gotBytes, gotFields := size(t, l, key)
	t.Logf("after %d updates %d bytes in %d fields, after %d %d bytes in %d fields", updates/10, bytes, fields, updates, gotBytes, gotFields)
	if gotBytes > bytes*11/10 || gotFields > fields*11/10 {
		t.Error("the customer grows with its history")
	}
	if s := mustLoad(t, l, key); s.Version != updates {
		t.Errorf("version %d", s.Version)
	}
}
