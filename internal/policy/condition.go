package policy

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/makeamends/amends/internal/recovery"
)

// mostCost bounds what one evaluation of a condition may do, in CEL's units; a
// condition of the default menu needs a few dozen.
const mostCost = 5_000

var failedConditions atomic.Uint64

// FailedConditions counts the conditions that could not be evaluated, and so
// did not hold, since the process began.
func FailedConditions() uint64 { return failedConditions.Load() }

// conditions is the language of menu conditions: the standard library of CEL
// over the variables of facts.go, nothing else.
var conditions = sync.OnceValues(func() (*cel.Env, error) {
	options := []cel.EnvOption{cel.CrossTypeNumericComparisons(true)}
	for _, v := range variables {
		options = append(options, cel.Variable(v.name, v.kind))
	}
	return cel.NewEnv(options...)
})

func (c *compiler) menu() {
	seen := map[string]path{}
	for i, m := range c.message.GetMenu() {
		at := path{"menu", i}
		c.unique(seen, at.To("id"), m.GetId())
		item := recovery.MenuItem{ID: m.GetId(), Text: m.GetText(), Medium: term[recovery.Medium](m.GetMedium())}
		if c.Sound(at.To("when")) && !c.Full() {
			item.When = c.condition(at.To("when"), m.GetWhen())
		}
		c.rules.Menu = append(c.rules.Menu, item)
	}
}

// condition compiles an expression and reports every fault at its own place.
func (c *compiler) condition(at path, text string) func(*recovery.Facts) bool {
	env, err := conditions()
	if err != nil {
		c.Add(at, "%v", err)
		return nil
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		for _, e := range issues.Errors() {
			if c.Full() {
				break
			}
			before := offset(text, e.Location.Line(), e.Location.Column())
			line, column := c.Within(at, before)
			c.AddAt(line, column, at.String(), "%s", explain(text, before, e.Message))
		}
		return nil
	}
	if !checked.OutputType().IsExactType(types.BoolType) {
		c.Add(at, "must be true or false, but is of type %s", checked.OutputType())
		return nil
	}
	c.misspelt(at, text, checked)
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(mostCost))
	if err != nil {
		c.Add(at, "%v", err)
		return nil
	}
	if holds := native(checked.NativeRep().Expr()); holds != nil {
		return func(f *recovery.Facts) bool { return holds(f, 0) }
	}
	return interpreted(program)
}

var factName = regexp.MustCompile(`^(failure|customer|assessment)\.[a-z_]+`)

// explain says in our words what CEL found wrong at a place.
func explain(text string, before int, message string) string {
	rest := ""
	if runes := []rune(text); before < len(runes) {
		rest = string(runes[before:])
	}
	message, _, _ = strings.Cut(message, "\n")
	message, _, _ = strings.Cut(message, " expecting ")
	fact := factName.FindStringSubmatch(rest)
	if fact == nil || !strings.HasPrefix(message, "undeclared reference") {
		return strings.TrimSuffix(message, " (in container '')")
	}
	var known []string
	for _, v := range variables {
		if strings.HasPrefix(v.name, fact[1]+".") {
			known = append(known, v.name)
		}
	}
	return fact[0] + " is unknown; one of " + strings.Join(known, ", ")
}

// interpreted evaluates a condition by CEL. One that cannot be evaluated does
// not hold, and is counted.
func interpreted(program cel.Program) func(*recovery.Facts) bool {
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

// misspelt reports constants that a fact can never be, such as the band
// "CRITCAL": the condition would never hold, and nobody would know.
func (c *compiler) misspelt(at path, text string, checked *cel.Ast) {
	info := checked.NativeRep().SourceInfo()
	report := func(v *variable, e ast.Expr) {
		word, ok := textLiteral(e)
		if !ok || v == nil || v.words == nil || slices.Contains(v.words, word) {
			return
		}
		place := info.GetStartLocation(e.ID())
		line, column := c.Within(at, offset(text, place.Line(), place.Column()))
		c.AddAt(line, column, at.String(), "%s is never %q; one of %s", v.name, word, strings.Join(v.words[1:], ", "))
	}
	loops := map[string]*variable{}
	factOf := func(e ast.Expr) *variable {
		if e.Kind() == ast.IdentKind && loops[e.AsIdent()] != nil {
			return loops[e.AsIdent()]
		}
		return variableOf(e)
	}
	ast.PreOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.ComprehensionKind {
			loops[e.AsComprehension().IterVar()] = variableOf(e.AsComprehension().IterRange())
		}
		if e.Kind() != ast.CallKind || len(e.AsCall().Args()) != 2 {
			return
		}
		left, right := e.AsCall().Args()[0], e.AsCall().Args()[1]
		switch e.AsCall().FunctionName() {
		case operators.Equals, operators.NotEquals:
			report(factOf(left), right)
			report(factOf(right), left)
		case operators.In:
			report(factOf(right), left)
			for _, item := range elements(right) {
				report(factOf(left), item)
			}
		}
	}))
}

func elements(e ast.Expr) []ast.Expr {
	if e.Kind() != ast.ListKind {
		return nil
	}
	return e.AsList().Elements()
}

// offset is how many characters stand before a line (from 1) and column (from 0).
func offset(text string, line, column int) int {
	for range line - 1 {
		_, rest, found := strings.Cut(text, "\n")
		if !found {
			break
		}
		column += len([]rune(text)) - len([]rune(rest))
		text = rest
	}
	return column
}
