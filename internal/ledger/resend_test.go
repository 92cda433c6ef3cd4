package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
)

// lastCommit is a server that carries out one commit, and is gone before it has answered.
type lastCommit struct {
	alone
	armed, gone atomic.Bool
}

func (h *lastCommit) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := error(&net.OpError{Op: "dial", Err: errors.New("connection refused")})
		if !h.gone.Load() {
			err = next(ctx, cmd)
		}
		if cmd.Name() == "evalsha" && err == nil && h.armed.CompareAndSwap(true, false) {
			h.gone.Store(true)
			err = io.EOF
		}
		cmd.SetErr(err)
		return err
	}
}

// What a commit came to is unknown when its answer is lost, although nobody is
// there to be asked again.
func TestLastCommitOfAServerIsUnknown(t *testing.T) {
	l := openAt(t, redistest.Cluster(t, 3).URL())
	h := &lastCommit{}
	err := l.client.(*redis.ClusterClient).ForEachMaster(t.Context(), func(_ context.Context, n *redis.Client) error {
		n.AddHook(h)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	mustUpdate(t, l, one(l, "last commit", "before"), count)
	h.armed.Store(true)
	_, err = l.Update(t.Context(), one(l, "last commit", "a"), count)
	if away := new(Unavailable); !errors.As(err, &away) || !away.Unknown {
		t.Errorf("the answer of a commit was lost, and the caller is told %v", err)
	}
	h.gone.Store(false)
	if r := mustUpdate(t, l, one(l, "last commit", "a"), count); !r.Replayed {
		t.Error("the commit was not made: this test shows nothing")
	}
}

// Two attempts of one call agree on one answer and not on the other; what was
// given up is carried out all the same, and is what the caller is told.
func TestALateCommitOfSeveral(t *testing.T) {
	l := openAt(t, redistest.Shared(t).URL())
	mustUpdate(t, l, one(l, "late of several", "before"), count)
	hook := &late{}
	l.client.AddHook(hook)
	hook.armed.Store(true)
	w := Write{Key: l.Key("shop", "late of several"), Tenant: "shop", Requests: []Request{{ID: "same"}, {ID: "differs"}}}
	attempts := 0
	told, err := l.Update(t.Context(), w, func(c recovery.Customer, _ []int) (Judgement, error) {
		attempts++
		c.Claims += int64(attempts)
		return Judgement{Customer: c, Answers: [][]byte{nil, fmt.Append(nil, "attempt ", attempts)}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	kept, err := l.Update(t.Context(), w, count)
	if err != nil {
		t.Fatal(err)
	}
	if string(told[1].Answer) != string(kept[1].Answer) || attempts < 2 {
		t.Errorf("told %q after %d attempts, kept is %q", told[1].Answer, attempts, kept[1].Answer)
	}
}

// One request was carried out and not confirmed, the other is refused: the call
// has not succeeded.
func TestRefusalsBesideAnUnconfirmedChange(t *testing.T) {
	l := openAt(t, redistest.Shared(t).URL(), func(o *Options) { o.Wait = 1 })
	w := Write{Key: l.Key("shop", "refused beside"), Tenant: "shop", Requests: []Request{{ID: "good"}, {ID: "bad"}}}
	results, err := l.Update(t.Context(), w, func(c recovery.Customer, fresh []int) (Judgement, error) {
		j := Judgement{Customer: c}
		for _, i := range fresh {
			var refusal error
			if i == 1 {
				refusal = errors.New("bad")
			}
			j.Answers, j.Refused = append(j.Answers, nil), append(j.Refused, refusal)
		}
		return j, nil
	})
	if err == nil {
		t.Errorf("no replica has confirmed, and the results are %+v", results)
	}
}

// Requests of one who was erased are refused, however many lives there were.
func TestRequestsOfSeveralLives(t *testing.T) {
	l := openAt(t, redistest.Shared(t).URL())
	key := l.Key("shop", "several lives")
	for _, life := range []string{"first", "second"} {
		w := Write{Key: key, Tenant: "shop"}
		for i := range mostRequests {
			w.Requests = append(w.Requests, Request{ID: fmt.Sprint(life, i)})
		}
		if _, err := l.Update(t.Context(), w, count); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Erase(t.Context(), "shop", key, 90*24*time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	r := mustUpdate(t, l, Write{Key: key, Tenant: "shop", Requests: []Request{{ID: "first0"}}}, count)
	if !errors.Is(r.Err, ErrErased) {
		t.Errorf("a request of the first life is answered %q, %v", r.Answer, r.Err)
	}
}
