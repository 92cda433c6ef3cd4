package policy

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/makeamends/amends/internal/document"
	"github.com/makeamends/amends/internal/recovery"
	policyv1 "github.com/makeamends/amends/proto/recovery/policy/v1"
)

// TrialResult says how one trial came out.
type TrialResult struct {
	File  string
	Line  int // of the trial in the file
	Name  string
	Diffs []Diff // empty: as expected
}

// Diff is one thing that is not as expected.
type Diff struct {
	Field string // such as expect.band
	Line  int    // of the expectation
	Want  string
	Got   string
}

// Passed reports whether everything is as expected.
func (r TrialResult) Passed() bool { return len(r.Diffs) == 0 }

// String gives one line for a trial that passed, and one more for each thing
// that is not as expected.
func (r TrialResult) String() string {
	if r.Passed() {
		return "pass  " + r.Name
	}
	var b strings.Builder
	fmt.Fprintf(&b, "FAIL  %s (%s:%d)", r.Name, r.File, r.Line)
	field, want := 0, 0
	for _, d := range r.Diffs {
		field, want = max(field, len(d.Field)), max(want, len(d.Want))
	}
	for _, d := range r.Diffs {
		fmt.Fprintf(&b, "\n      line %-4d %-*s  want %-*s  got %s", d.Line, field, d.Field, want, d.Want, d.Got)
	}
	return b.String()
}

// RunTrials runs the trials of a file under a policy. With a nil policy it is
// the one that the file names, or else the default. Findings are faults of the
// file or of the policy that it names; then nothing was run.
func RunTrials(file string, yaml []byte, p *Compiled) ([]TrialResult, Findings) {
	message := &policyv1.TrialFile{}
	t := trials{source: document.Read(file, yaml, message), message: message}
	t.check()
	if p == nil && len(t.Findings) == 0 {
		p = t.named()
	}
	if len(t.Findings) > 0 {
		return nil, t.Findings.Sorted()
	}
	results := make([]TrialResult, 0, len(message.GetTrials()))
	for i, m := range message.GetTrials() {
		run := trial{source: t.source, at: path{"trials", i}, message: m, policy: p.Rules}
		results = append(results, run.result())
	}
	return results, nil
}

type trials struct {
	*source
	message *policyv1.TrialFile
}

// check finds names that are there twice; a failing trial must be found by its name.
func (t *trials) check() {
	c := compiler{source: t.source}
	seen := map[string]path{}
	for i, m := range t.message.GetTrials() {
		c.unique(seen, path{"trials", i, "name"}, m.GetName())
	}
}

// named loads the policy that the file names.
func (t *trials) named() *Compiled {
	name := t.message.GetPolicy()
	if name == "" {
		return Default()
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(t.File), name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Add(path{"policy"}, "%v", err)
		return nil
	}
	p, findings := Parse(name, text)
	t.Findings = append(t.Findings, findings...)
	return p
}

// trial is one run: the history is played, the failure reported, and the case
// looked at.
type trial struct {
	*source
	at       path
	message  *policyv1.Trial
	policy   *recovery.Policy
	customer recovery.Customer
	reported time.Time
	seen     time.Time
	kase     recovery.Case
	diffs    []Diff
}

// noon is when a failure is reported that does not say: a Monday in UTC.
var noon = time.Date(2026, time.January, 5, 12, 0, 0, 0, time.UTC)

func (t *trial) result() TrialResult {
	t.reported = noon
	if t.message.HasAt() {
		t.reported = t.message.GetAt().AsTime()
	}
	t.seen = t.reported.Add(t.message.GetAfter().AsDuration())
	if err := t.play(); err != nil {
		t.differ(t.at.To("event"), "a case", err.Error())
	} else {
		t.compare()
	}
	line, _ := t.Place(t.at.To("name"))
	return TrialResult{File: t.File, Line: line, Name: t.message.GetName(), Diffs: t.diffs}
}

// happening is one thing that happened, in the order of time.
type happening struct {
	at time.Time
	do func() error
}

func (t *trial) play() error {
	var history []happening
	for _, m := range t.message.GetPositives() {
		in := recovery.Interaction{OccurredAt: t.reported.Add(-m.GetAgo().AsDuration()), Kind: term[recovery.Positive](m.GetKind())}
		for range max(m.GetCount(), 1) {
			history = append(history, happening{in.OccurredAt, func() error { t.remember(in); return nil }})
		}
	}
	for _, m := range t.message.GetEarlier() {
		at := t.reported.Add(-m.GetAgo().AsDuration())
		history = append(history, happening{at, func() error { return t.report(m.GetEvent(), at, m.GetRecovered()) }})
	}
	slices.SortStableFunc(history, func(a, b happening) int { return a.at.Compare(b.at) })
	for _, h := range history {
		if err := h.do(); err != nil {
			return err
		}
	}
	if err := t.report(t.message.GetEvent(), t.reported, false); err != nil {
		return err
	}
	return t.look()
}

func (t *trial) rules() recovery.Rules { return recovery.Rules{Active: t.policy} }

func (t *trial) remember(in recovery.Interaction) {
	t.customer = recovery.Remember(t.customer, in, t.rules(), in.OccurredAt)
}

func (t *trial) report(m *policyv1.TrialEvent, at time.Time, recovered bool) error {
	event, err := t.event(m, at)
	if err != nil {
		return err
	}
	t.customer, t.kase, err = recovery.Report(t.customer, event, t.rules(), at)
	if err != nil || !recovered {
		return err
	}
	t.settle(t.kase.Number, at)
	return nil
}

// settle closes a case with the customer satisfied.
func (t *trial) settle(number int64, at time.Time) {
	c := &t.customer
	c.Open = slices.DeleteFunc(slices.Clone(c.Open), func(k recovery.Case) bool { return k.Number == number })
	c.Failures = slices.Clone(c.Failures)
	for i := range c.Failures {
		if c.Failures[i].Case == number {
			c.Failures[i].Recovered = true
		}
	}
	t.remember(recovery.Interaction{OccurredAt: at, Kind: recovery.SatisfiedRecovery})
}

// look lets the time pass until the case is looked at, with every deadline
// noticed when it goes by.
func (t *trial) look() error {
	if t.seen.Equal(t.reported) {
		return nil
	}
	number := t.kase.Number
	for next := t.customer.NextDue(t.rules()); !next.IsZero() && !next.After(t.seen); {
		t.customer = recovery.Tick(t.customer, t.rules(), next)
		due := t.customer.NextDue(t.rules())
		if !due.After(next) {
			break
		}
		next = due
	}
	t.customer = recovery.View(t.customer, t.rules(), t.seen)
	k := cmp.Or(recovery.Numbered(t.customer.Open, number), recovery.Numbered(t.customer.Closed, number))
	if k == nil {
		return fmt.Errorf("the case is gone after %s", shortDuration(t.seen.Sub(t.reported)))
	}
	t.kase = *k
	return nil
}
