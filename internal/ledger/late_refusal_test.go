package ledger

import (
	"errors"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/redistest"
)

var errExpired = errors.New("the offer has expired")

// The first attempt is sent and not answered, the second is refused since a deadline
// has come meanwhile, and then the server reads the first: nobody may have been told
// that nothing was changed.
func TestALateCommitAfterARefusal(t *testing.T) {
	for name, refuse := range map[string]func(j *Judgement) error{
		"of the call":     func(*Judgement) error { return errExpired },
		"of all requests": func(j *Judgement) error { j.Refused = []error{errExpired, errExpired}; return nil },
		"of one request":  func(j *Judgement) error { j.Refused = []error{nil, errExpired}; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			l := openAt(t, redistest.Shared(t).URL())
			key := l.Key("shop", "late refusal "+name)
			mustUpdate(t, l, one(l, "late refusal "+name, "before"), count)
			hook := &late{}
			l.client.AddHook(hook)
			hook.armed.Store(true)
			w, n := Write{Key: key, Tenant: "shop", Requests: []Request{{ID: "a"}, {ID: "b"}}}, 0
			results, err := l.Update(t.Context(), w, func(c recovery.Customer, fresh []int) (j Judgement, err error) {
				j = Judgement{Customer: c, Answers: make([][]byte, len(fresh))}
				if n++; n == 2 {
					err = refuse(&j)
				}
				return j, err
			})
			if held := hook.held; held != nil {
				hook.held = nil
				if err := l.client.Process(t.Context(), redis.NewCmd(t.Context(), held...)); err != nil {
					t.Fatal(err)
				}
			}
			if n < 2 {
				t.Fatalf("judged %d times", n)
			}
			if err == nil {
				err = errors.Join(results[0].Err, results[1].Err)
			}
			var away *Unavailable
			again, failed := l.Update(t.Context(), w, count)
			if failed != nil {
				t.Fatal(failed)
			}
			if again[1].Replayed && !(errors.As(err, &away) && away.Unknown) {
				t.Errorf("the change was made, and the caller was told: %v", err)
			}
		})
	}
}
