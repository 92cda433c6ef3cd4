package ledger

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/panics"
	"github.com/makeamends/amends/internal/redistest"
)

// When Redis takes another password from now on, what is sent on a new connection is
// an error, and never passes for a customer, an index or a stream that is empty.
func TestAnotherPassword(t *testing.T) {
	t.Parallel()
	server := redistest.Server(t, redistest.WithRefusals())
	l := openAt(t, server.URL())
	key := l.Key("shop", "known")
	mustUpdate(t, l, one(l, "known", "a"), opens)
	f := follow(t, l)
	mustUpdate(t, l, one(l, "known", "b"), opens)
	if err := server.Client().ACLSetUser(t.Context(), l.store.user, "resetpass", ">another").Err(); err != nil {
		t.Fatal(err)
	}
	for name, what := range map[string]func(context.Context) error{
		"change": func(ctx context.Context) (err error) {
			l.Together(ctx, 2, func(ctx context.Context, i int) {
				if _, failed := l.Update(ctx, one(l, fmt.Sprint("stranger ", i), "request"), count); i == 0 {
					err = failed
				}
			})
			return err
		},
		"read": func(ctx context.Context) (err error) {
			l.Together(ctx, 2, func(ctx context.Context, i int) {
				failed := panics.Caught(func() error {
					_, err := l.Load(ctx, key)
					return err
				})
				if i == 0 {
					err = failed
				}
			})
			return err
		},
		"read many": func(ctx context.Context) error {
			return panics.Caught(func() error {
				_, err := l.loadMany(ctx, []Key{key}, whole)
				return err
			})
		},
		"due": func(ctx context.Context) error {
			_, err := l.Due(ctx, time.Now().AddDate(10, 0, 0), 10, nil)
			return err
		},
		"ends": func(ctx context.Context) error {
			_, _, err := f.tail.Ends(ctx)
			return err
		},
		"events": func(ctx context.Context) error {
			_, err := f.tail.After(ctx, f.marks, 10)
			return err
		},
		"check": func(ctx context.Context) error {
			_, err := f.tail.Check(ctx, f.epoch, f.marks)
			return err
		},
	} {
		if err := server.Client().Do(t.Context(), "client", "kill", "user", l.store.user).Err(); err != nil {
			t.Fatal(err)
		}
		if err := what(t.Context()); !errors.Is(err, ErrBroken) {
			t.Errorf("%s: %v (%v), want %v", name, err, Cause(err), ErrBroken)
		}
	}
}
