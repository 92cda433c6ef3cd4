package policy

import (
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/makeamends/amends/internal/recovery"
)

// variable is one fact that a condition may look at. Names with a dot are
// declared as they are, so that looking one up is a single step. Exactly one of
// the functions is set, but for the kinds, which have none.
type variable struct {
	name   string
	kind   *cel.Type
	words  []string // all values of a text, or of the members of a list
	text   func(*recovery.Facts) string
	number func(*recovery.Facts) float64
	count  func(*recovery.Facts) int64
	truth  func(*recovery.Facts) bool
}

const kindsName = "failure.kinds"

var kindWords = names[recovery.Kind]()

var variables = []*variable{
	{name: kindsName, kind: cel.ListType(cel.StringType), words: kindWords},
	number("failure.delay_minutes", func(f *recovery.Facts) float64 { return f.Failure.Delay.Minutes() }),
	number("failure.value", func(f *recovery.Facts) float64 { return f.ValueUnits }),
	word("failure.lost", func(f *recovery.Facts) recovery.Resource { return f.Lost }),
	word("failure.acceptance", func(f *recovery.Facts) recovery.Acceptance { return f.Failure.Acceptance }),
	word("failure.voice", func(f *recovery.Facts) recovery.Voice { return f.Failure.Voice }),
	word("failure.channel", func(f *recovery.Facts) recovery.Channel { return f.Failure.Channel }),
	count("failure.reach", func(f *recovery.Facts) int64 { return f.Failure.Reach }),
	truth("failure.on_premises", func(f *recovery.Facts) bool { return f.OnPremises }),
	word("failure.locus", func(f *recovery.Facts) recovery.Locus { return f.Failure.Attribution.Locus }),
	word("failure.motive", func(f *recovery.Facts) recovery.Motive { return f.Failure.Attribution.Motive }),
	truth("failure.recurring", func(f *recovery.Facts) bool { return f.Failure.Attribution.Recurring }),
	word("failure.corroboration", func(f *recovery.Facts) recovery.Corroboration { return f.Failure.Evidence }),
	word("customer.relationship", func(f *recovery.Facts) recovery.Relationship { return f.Profile.Relationship }),
	count("customer.orders", func(f *recovery.Facts) int64 { return f.Orders }),
	truth("customer.loyalty_member", func(f *recovery.Facts) bool { return f.Profile.Loyalty }),
	number("customer.positive_mass", func(f *recovery.Facts) float64 { return f.Positives }),
	number("customer.repeat_mass", func(f *recovery.Facts) float64 { return f.Repeat }),
	number("assessment.severity", func(f *recovery.Facts) float64 { return f.Severity }),
	word("assessment.band", func(f *recovery.Facts) recovery.Band { return f.Assessment.Risk.Band }),
	number("assessment.ignored", func(f *recovery.Facts) float64 { return f.Assessment.Risk.Ignored }),
	number("assessment.on_time", func(f *recovery.Facts) float64 { return f.Assessment.Risk.OnTime }),
	number("assessment.late", func(f *recovery.Facts) float64 { return f.Assessment.Risk.Late }),
	number("assessment.baseline", func(f *recovery.Facts) float64 { return f.Assessment.Baseline }),
	number("assessment.escalation", func(f *recovery.Facts) float64 { return f.Assessment.Escalation }),
	truth("assessment.double_deviation", func(f *recovery.Facts) bool { return f.Assessment.Double }),
	count("assessment.positives_owed", func(f *recovery.Facts) int64 { return f.Assessment.Owed }),
}

// byName finds a variable.
var byName = func() map[string]*variable {
	m := make(map[string]*variable, len(variables))
	for _, v := range variables {
		m[v.name] = v
	}
	return m
}()

func number(name string, get func(*recovery.Facts) float64) *variable {
	return &variable{name: name, kind: cel.DoubleType, number: get}
}

func count(name string, get func(*recovery.Facts) int64) *variable {
	return &variable{name: name, kind: cel.IntType, count: get}
}

func truth(name string, get func(*recovery.Facts) bool) *variable {
	return &variable{name: name, kind: cel.BoolType, truth: get}
}

type named interface {
	~uint8
	String() string
}

func word[T named](name string, get func(*recovery.Facts) T) *variable {
	words := names[T]()
	return &variable{name: name, kind: cel.StringType, words: words, text: func(f *recovery.Facts) string {
		if i := get(f); int(i) < len(words) {
			return words[i]
		}
		return words[0]
	}}
}

// names lists what a word can be, "UNSPECIFIED" first.
func names[T named]() []string {
	list := []string{T(0).String()}
	for i := T(1); i.String() != list[0]; i++ {
		list = append(list, i.String())
	}
	return list
}

// value is the fact as CEL wants it.
func (v *variable) value(f *recovery.Facts) ref.Val {
	switch {
	case v.text != nil:
		return types.String(v.text(f))
	case v.number != nil:
		return types.Double(v.number(f))
	case v.count != nil:
		return types.Int(v.count(f))
	case v.truth != nil:
		return types.Bool(v.truth(f))
	}
	list := make([]string, 0, 4)
	for _, kind := range f.Failure.Kinds.List() {
		list = append(list, kind.String())
	}
	return types.NewStringList(types.DefaultTypeAdapter, list)
}

// activation hands the facts of one case to CEL.
type activation struct{ facts *recovery.Facts }

var activations = sync.Pool{New: func() any { return new(activation) }}

// ResolveName gives the value of a variable.
func (a *activation) ResolveName(name string) (any, bool) {
	v, known := byName[name]
	if !known {
		return nil, false
	}
	return v.value(a.facts), true
}

// Parent is none: there are no other variables.
func (a *activation) Parent() cel.Activation { return nil }
