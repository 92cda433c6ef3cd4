package policy

import (
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/makeamends/amends/internal/recovery"
)

// variable is one fact that a condition may look at. Names with a dot are
// declared as they are, so that looking one up is a single step.
type variable struct {
	name  string
	kind  *cel.Type
	words []string // all values of a word
	value func(*recovery.Facts) ref.Val
}

var variables = []variable{
	{"failure.kinds", cel.ListType(cel.StringType), names[recovery.Kind](), func(f *recovery.Facts) ref.Val { return kindList(f.Failure.Kinds) }},
	number("failure.delay_minutes", func(f *recovery.Facts) float64 { return f.Failure.Delay.Minutes() }),
	number("failure.value", func(f *recovery.Facts) float64 { return f.ValueUnits }),
	word("failure.lost", func(f *recovery.Facts) recovery.Resource { return f.Lost }),
	word("failure.acceptance", func(f *recovery.Facts) recovery.Acceptance { return f.Failure.Acceptance }),
	word("failure.voice", func(f *recovery.Facts) recovery.Voice { return f.Failure.Voice }),
	word("failure.channel", func(f *recovery.Facts) recovery.Channel { return f.Failure.Channel }),
	count("failure.reach", func(f *recovery.Facts) int64 { return f.Failure.Reach }),
	fact("failure.on_premises", onPremises),
	word("failure.locus", func(f *recovery.Facts) recovery.Locus { return max(f.Failure.Attribution.Locus, recovery.Firm) }),
	word("failure.motive", func(f *recovery.Facts) recovery.Motive { return f.Failure.Attribution.Motive }),
	fact("failure.recurring", func(f *recovery.Facts) bool { return f.Failure.Attribution.Recurring }),
	word("failure.corroboration", func(f *recovery.Facts) recovery.Corroboration { return f.Failure.Evidence }),
	word("customer.relationship", func(f *recovery.Facts) recovery.Relationship { return f.Profile.Relationship }),
	count("customer.orders", func(f *recovery.Facts) int64 { return f.Orders }),
	fact("customer.loyalty_member", func(f *recovery.Facts) bool { return f.Profile.Loyalty }),
	number("customer.positive_mass", func(f *recovery.Facts) float64 { return f.Positives }),
	number("customer.repeat_mass", func(f *recovery.Facts) float64 { return f.Repeat }),
	number("assessment.severity", func(f *recovery.Facts) float64 { return f.Severity }),
	word("assessment.band", func(f *recovery.Facts) recovery.Band { return f.Assessment.Risk.Band }),
	number("assessment.ignored", func(f *recovery.Facts) float64 { return f.Assessment.Risk.Ignored }),
	number("assessment.on_time", func(f *recovery.Facts) float64 { return f.Assessment.Risk.OnTime }),
	number("assessment.late", func(f *recovery.Facts) float64 { return f.Assessment.Risk.Late }),
	number("assessment.baseline", func(f *recovery.Facts) float64 { return f.Assessment.Baseline }),
	number("assessment.escalation", func(f *recovery.Facts) float64 { return f.Assessment.Escalation }),
	fact("assessment.double_deviation", func(f *recovery.Facts) bool { return f.Assessment.Double }),
	count("assessment.positives_owed", func(f *recovery.Facts) int64 { return f.Assessment.Owed }),
}

// onPremises: the customer leaves later than now, or spoke to us face to face
// and nobody said when they leave.
func onPremises(f *recovery.Facts) bool {
	departs := f.Failure.DepartsAt
	return departs.After(f.Assessment.At) || departs.IsZero() && f.Failure.Channel == recovery.InPerson
}

func number(name string, get func(*recovery.Facts) float64) variable {
	return variable{name: name, kind: cel.DoubleType, value: func(f *recovery.Facts) ref.Val { return types.Double(get(f)) }}
}

func count(name string, get func(*recovery.Facts) int64) variable {
	return variable{name: name, kind: cel.IntType, value: func(f *recovery.Facts) ref.Val { return types.Int(get(f)) }}
}

func fact(name string, get func(*recovery.Facts) bool) variable {
	return variable{name: name, kind: cel.BoolType, value: func(f *recovery.Facts) ref.Val { return types.Bool(get(f)) }}
}

type named interface {
	~uint8
	String() string
}

// word is a fact with a closed set of values. They are made once, so that
// looking one up allocates nothing.
func word[T named](name string, get func(*recovery.Facts) T) variable {
	values := make([]ref.Val, 64)
	for i := range values {
		values[i] = types.String(T(i).String())
	}
	return variable{name: name, kind: cel.StringType, words: names[T](),
		value: func(f *recovery.Facts) ref.Val { return values[get(f)%64] }}
}

// names lists what a word can be, "UNSPECIFIED" first.
func names[T named]() []string {
	list := []string{T(0).String()}
	for i := T(1); T(i).String() != list[0]; i++ {
		list = append(list, i.String())
	}
	return list
}

func kindList(set recovery.KindSet) ref.Val {
	list := make([]string, 0, 4)
	for _, kind := range set.List() {
		list = append(list, kind.String())
	}
	return types.NewStringList(types.DefaultTypeAdapter, list)
}

var byName = func() map[string]func(*recovery.Facts) ref.Val {
	m := make(map[string]func(*recovery.Facts) ref.Val, len(variables))
	for _, v := range variables {
		m[v.name] = v.value
	}
	return m
}()

// activation hands the facts of one case to CEL.
type activation struct{ facts *recovery.Facts }

var activations = sync.Pool{New: func() any { return new(activation) }}

// ResolveName gives the value of a variable.
func (a *activation) ResolveName(name string) (any, bool) {
	value, known := byName[name]
	if !known {
		return nil, false
	}
	return value(a.facts), true
}

// Parent is none: there are no other variables.
func (a *activation) Parent() cel.Activation { return nil }
