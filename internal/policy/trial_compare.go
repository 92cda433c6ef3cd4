package policy

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/makeamends/amends/internal/recovery"
	policyv1 "github.com/makeamends/amends/proto/recovery/policy/v1"
)

// tolerance is how far risks may be off unless the trial says otherwise.
const tolerance = 0.001

func (t *trial) differ(p path, want, got string) {
	line, _ := t.Place(p)
	field := strings.TrimPrefix(p.String(), t.at.String()+".")
	t.diffs = append(t.diffs, Diff{Field: field, Line: line, Want: want, Got: got})
}

// compare sets the case against everything that is expected of it.
func (t *trial) compare() {
	m, a := t.message.GetExpect(), &t.kase.Assessment
	t.word("band", m.HasBand(), m.GetBand(), a.Risk.Band)
	t.number("severity", m.HasSeverity(), m.GetSeverity(), a.Severity)
	t.number("ignored", m.HasIgnored(), m.GetIgnored(), a.Risk.Ignored)
	t.number("on_time", m.HasOnTime(), m.GetOnTime(), a.Risk.OnTime)
	t.number("late", m.HasLate(), m.GetLate(), a.Risk.Late)
	t.truth("double_deviation", m.HasDoubleDeviation(), m.GetDoubleDeviation(), a.Double)
	t.reasons()

	r := &t.kase.Recommendation
	goodwill, automatic := r.Goodwill()
	t.paid("entitlement", m.HasEntitlement(), m.GetEntitlement(), t.sum(recovery.Entitlement))
	t.paid("restitution", m.HasRestitution(), m.GetRestitution(), t.sum(recovery.Restitution))
	t.paid("goodwill", m.HasGoodwill(), m.GetGoodwill(), goodwill)
	t.paid("automatic", m.HasAutomatic(), m.GetAutomatic(), automatic)
	t.paid("approval", m.HasApproval(), m.GetApproval(), goodwill-automatic)
	t.gestures()
	t.truth("review", m.HasReview(), m.GetReview(), len(r.ReviewReasons) > 0)
	t.word("speaker", m.HasSpeaker(), m.GetSpeaker(), r.Apology.Speaker)
	for i, d := range m.GetDeadlines() {
		t.deadline(t.at.To("expect", "deadlines", i), d)
	}
}

func (t *trial) word(field string, expected bool, want protoreflect.Enum, got fmt.Stringer) {
	if expected && shortName(want) != got.String() {
		t.differ(t.at.To("expect", field), shortName(want), got.String())
	}
}

func (t *trial) truth(field string, expected, want, got bool) {
	if expected && want != got {
		t.differ(t.at.To("expect", field), strconv.FormatBool(want), strconv.FormatBool(got))
	}
}

func (t *trial) number(field string, expected bool, want, got float64) {
	off := tolerance
	if t.message.GetExpect().HasTolerance() {
		off = t.message.GetExpect().GetTolerance()
	}
	const lastBits = 1e-12 // a tolerance of 0 means the same number as written
	if expected && !(math.Abs(want-got) <= off+lastBits) {
		t.differ(t.at.To("expect", field), fmt.Sprintf("%.4f ± %g", want, off), fmt.Sprintf("%.4f", got))
	}
}

// reasons compares terms of the score and causes of a double deviation as a set, and tells only where the two differ.
func (t *trial) reasons() {
	m := t.message.GetExpect().GetReasons()
	if len(m) == 0 {
		return
	}
	var want, got []string
	for _, code := range m {
		want = append(want, shortName(code))
	}
	for _, r := range t.kase.Assessment.Reasons {
		got = append(got, r.Code.String())
	}
	for _, code := range t.kase.Assessment.Causes {
		got = append(got, code.String())
	}
	missing, unexpected := without(want, got), without(got, want)
	if len(missing)+len(unexpected) > 0 {
		t.differ(t.at.To("expect", "reasons"), cmp.Or(strings.Join(missing, " "), "no more"), cmp.Or(strings.Join(unexpected, " "), "none"))
	}
}

// without is what list holds beyond other, sorted.
func without(list, other []string) []string {
	rest := slices.Clone(list)
	for _, word := range other {
		if i := slices.Index(rest, word); i >= 0 {
			rest = slices.Delete(rest, i, i+1)
		}
	}
	slices.Sort(rest)
	return rest
}

func (t *trial) sum(kind recovery.ItemKind) (minor int64) {
	for _, item := range t.kase.Recommendation.Items {
		if item.Kind == kind {
			minor += item.Amount
		}
	}
	return minor
}

// paid compares an amount in its currency.
func (t *trial) paid(field string, expected bool, want string, got int64) {
	if !expected {
		return
	}
	currency := t.kase.Recommendation.Currency
	minor, named, err := t.amount(want)
	switch {
	case err != nil:
		t.differ(t.at.To("expect", field), want, err.Error())
	case minor != got || named != currency && minor != 0:
		t.differ(t.at.To("expect", field), want, decimal(got, t.policy.Currencies[currency].Digits)+" "+currency)
	}
}

// decimal writes minor units as currency units.
func decimal(minor int64, digits int) string {
	if digits == 0 {
		return strconv.FormatInt(minor, 10)
	}
	text := fmt.Sprintf("%0*d", digits+1, minor)
	return text[:len(text)-digits] + "." + text[len(text)-digits:]
}

// gestures: those expected must be among those recommended.
func (t *trial) gestures() {
	var got []string
	for _, item := range t.kase.Recommendation.Items {
		if item.Kind == recovery.Gesture {
			got = append(got, item.Menu)
		}
	}
	for i, want := range t.message.GetExpect().GetGestures() {
		if !slices.Contains(got, want) {
			t.differ(t.at.To("expect", "gestures", i), want, cmp.Or(strings.Join(got, " "), "none"))
		}
	}
}

// deadline compares the newest promise of a milestone.
func (t *trial) deadline(at path, m *policyv1.TrialDeadline) {
	milestone := term[recovery.Milestone](m.GetMilestone())
	var got recovery.Deadline
	for _, d := range t.kase.Deadlines {
		if d.Milestone == milestone {
			got = d
		}
	}
	if got.Milestone == 0 {
		t.differ(at, milestone.String(), "no such deadline")
		return
	}
	if due := got.DueAt.Sub(t.reported); m.HasWithin() && m.GetWithin().AsDuration() != due {
		t.differ(at.To("within"), shortDuration(m.GetWithin().AsDuration()), shortDuration(due))
	}
	if m.HasBound() && shortName(m.GetBound()) != got.BoundBy.String() {
		t.differ(at.To("bound"), shortName(m.GetBound()), got.BoundBy.String())
	}
	if m.HasState() && shortName(m.GetState()) != got.Verdict.String() {
		t.differ(at.To("state"), shortName(m.GetState()), got.Verdict.String())
	}
}

// shortDuration writes a time as policies do, such as 1d12h.
func shortDuration(d time.Duration) string {
	if d < 0 {
		return "-" + shortDuration(-d)
	}
	var b strings.Builder
	for _, u := range []struct {
		unit   time.Duration
		letter string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if n := d / u.unit; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, u.letter)
			d -= n * u.unit
		}
	}
	if d > 0 || b.Len() == 0 {
		b.WriteString(strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s")
	}
	return b.String()
}
