package policy

import (
	"strings"
	"sync"
	"sync/atomic"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/makeamends/amends/internal/recovery"
)

// mostCost bounds what one evaluation of a condition may do; the default menu
// needs a few dozen.
const mostCost = 5_000

var failedConditions atomic.Uint64

// FailedConditions counts the conditions that could not be evaluated, and so
// did not hold, since the process began.
func FailedConditions() uint64 { return failedConditions.Load() }

// conditions is the language of menu conditions: the standard library of CEL
// over the variables of facts.go, nothing else.
var conditions = sync.OnceValues(func() (*cel.Env, error) {
	options := []cel.EnvOption{cel.CrossTypeNumericComparisons(true)}
	for i := range variables {
		options = append(options, cel.Variable(variables[i].name, variables[i].kind))
	}
	return cel.NewEnv(options...)
})

func (c *compiler) menu() {
	seen := map[string]path{}
	for i, m := range c.message.GetMenu() {
		at := path{"menu", i}
		c.unique(seen, at.to("id"), m.GetId())
		item := recovery.MenuItem{ID: m.GetId(), Text: m.GetText(), Medium: term[recovery.Medium](m.GetMedium())}
		if c.sound(at.to("when")) {
			item.When = c.condition(at.to("when"), m.GetWhen())
		}
		c.rules.Menu = append(c.rules.Menu, item)
	}
}

// condition compiles an expression and reports every fault at its own place.
func (c *compiler) condition(at path, text string) func(*recovery.Facts) bool {
	env, err := conditions()
	if err != nil {
		c.add(at, "%v", err)
		return nil
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			line, column := c.within(at, offset(text, e.Location.Line(), e.Location.Column()))
			c.addAt(line, column, at.String(), "%s", e.Message)
		}
		return nil
	}
	if !checked.OutputType().IsExactType(types.BoolType) {
		c.add(at, "must be true or false, but is of type %s", checked.OutputType())
		return nil
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(mostCost))
	if err != nil {
		c.add(at, "%v", err)
		return nil
	}
	return evaluate(program)
}

// evaluate runs a condition. One that cannot be evaluated does not hold, and is
// counted.
func evaluate(program cel.Program) func(*recovery.Facts) bool {
	return func(f *recovery.Facts) bool {
		a := activations.Get().(*activation)
		a.facts = f
		value, _, err := program.Eval(a)
		a.facts = nil
		activations.Put(a)
		holds, ok := value.(types.Bool)
		if err != nil || !ok {
			failedConditions.Add(1)
			return false
		}
		return bool(holds)
	}
}

// offset is how many characters stand before a line (from 1) and column (from 0).
func offset(text string, line, column int) int {
	for range line - 1 {
		_, rest, found := strings.Cut(text, "\n")
		if !found {
			break
		}
		column += len([]rune(text[:len(text)-len(rest)]))
		text = rest
	}
	return column
}
