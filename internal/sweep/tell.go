package sweep

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/makeamends/amends/internal/ledger"
)

// tell tells the log when something begins to fail, for another reason or still
// after a while, and when it works again.
func (s *sweeper) tell(ctx context.Context, what string, err error) {
	if ctx.Err() != nil {
		return // the process ends
	}
	switch {
	case err != nil && s.told.News(time.Now(), what, causes(err)...):
		s.Logger.Error(what, "error", reason(err))
	case err == nil && s.told.Over(what):
		s.Logger.Info("works again: " + what)
	}
}

// about says whom an error is about, which its innermost reason does not.
type about struct {
	whom string
	error
}

func (a *about) Error() string { return a.whom + ": " + ledger.Cause(a.error).Error() }
func (a *about) Unwrap() error { return a.error }

// mostReasons is how many errors one line of the log tells of.
const mostReasons = 5

// reason is what the log is told of an error, or of several.
func reason(err error) string {
	all := parts(err)
	var texts []string
	for _, e := range all[:min(len(all), mostReasons)] {
		if _, named := e.(*about); !named { //nolint:errorlint // the outermost one, which knows whom it is about
			e = ledger.Cause(e)
		}
		texts = append(texts, e.Error())
	}
	if more := len(all) - len(texts); more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, "; ")
}

// causes are the innermost reasons of an error, whomever they are about.
func causes(err error) (all []string) {
	for _, e := range parts(err) {
		if errors.Is(e, ledger.ErrDamaged) {
			e = ledger.ErrDamaged // its innermost reason names the customer
		}
		all = append(all, ledger.Cause(e).Error())
	}
	return all
}

// parts takes joined errors apart.
func parts(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // not what is wrapped in it
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, parts(e)...)
	}
	return all
}
