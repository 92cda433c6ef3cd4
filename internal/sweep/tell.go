package sweep

import (
	"context"
	"fmt"
	"strings"

	"github.com/makeamends/amends/internal/ledger"
)

// tell tells the log when something begins to fail and when it works again.
func (s *sweeper) tell(ctx context.Context, what string, err error) {
	if ctx.Err() != nil {
		return // the process ends
	}
	s.mu.Lock()
	was := s.failing[what]
	s.failing[what] = err != nil
	s.mu.Unlock()
	switch {
	case err != nil && !was:
		s.Logger.Error(what, "error", reason(err))
	case err == nil && was:
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
