package policy

import (
	"cmp"
	"math"
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/makeamends/amends/internal/recovery"
)

// The menu is gone through for every failure, and evaluating CEL takes about a
// microsecond a condition. So what conditions are usually made of (comparing a
// fact with a constant, membership, and, or, not, exists and all over the kinds)
// is turned into Go functions once, which take a few nanoseconds and cannot
// fail. Anything else is left to CEL; a test holds the two together.

// A predicate is true or false of the facts. Inside exists and all the kind is
// the one that is looked at.
type predicate = func(*recovery.Facts, recovery.Kind) bool

// native turns a checked expression into a predicate; nil if it has a part that
// is left to CEL.
func native(e ast.Expr) predicate { return scope("").predicate(e) }

// scope is the name that stands for a kind inside exists and all.
type scope string

func (s scope) predicate(e ast.Expr) predicate {
	switch e.Kind() {
	case ast.LiteralKind:
		if b, ok := e.AsLiteral().(types.Bool); ok {
			return func(*recovery.Facts, recovery.Kind) bool { return bool(b) }
		}
	case ast.IdentKind:
		if v := variableOf(e); v != nil && v.truth != nil {
			return func(f *recovery.Facts, _ recovery.Kind) bool { return v.truth(f) }
		}
	case ast.CallKind:
		return s.call(e.AsCall())
	case ast.ComprehensionKind:
		return s.overKinds(e.AsComprehension())
	}
	return nil
}

func (s scope) call(call ast.CallExpr) predicate {
	args := call.Args()
	switch op := call.FunctionName(); op {
	case operators.LogicalNot:
		if p := s.predicate(args[0]); p != nil {
			return func(f *recovery.Facts, k recovery.Kind) bool { return !p(f, k) }
		}
	case operators.LogicalAnd:
		if p, q := s.predicate(args[0]), s.predicate(args[1]); p != nil && q != nil {
			return func(f *recovery.Facts, k recovery.Kind) bool { return p(f, k) && q(f, k) }
		}
	case operators.LogicalOr:
		if p, q := s.predicate(args[0]), s.predicate(args[1]); p != nil && q != nil {
			return func(f *recovery.Facts, k recovery.Kind) bool { return p(f, k) || q(f, k) }
		}
	case operators.In:
		return s.in(args[0], args[1])
	case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		if p := s.words(op, args[0], args[1]); p != nil {
			return p
		}
		return numbers(op, args[0], args[1])
	}
	return nil
}

// in is a word in a list of constants, or a constant in the kinds.
func (s scope) in(item, list ast.Expr) predicate {
	if v := variableOf(list); v != nil && v.name == kindsName {
		text, ok := textLiteral(item)
		if !ok {
			return nil
		}
		set := recovery.Kinds(kindNamed(text))
		return func(f *recovery.Facts, _ recovery.Kind) bool { return f.Failure.Kinds&set&^1 != 0 }
	}
	word := s.word(item)
	if word == nil || list.Kind() != ast.ListKind {
		return nil
	}
	var texts []string
	for _, e := range list.AsList().Elements() {
		text, ok := textLiteral(e)
		if !ok {
			return nil
		}
		texts = append(texts, text)
	}
	return func(f *recovery.Facts, k recovery.Kind) bool { return slices.Contains(texts, word(f, k)) }
}

// words is a word set equal to another or to a constant.
func (s scope) words(op string, left, right ast.Expr) predicate {
	a, b := s.word(left), s.word(right)
	switch {
	case a == nil || b == nil:
		return nil
	case op == operators.Equals:
		return func(f *recovery.Facts, k recovery.Kind) bool { return a(f, k) == b(f, k) }
	case op == operators.NotEquals:
		return func(f *recovery.Facts, k recovery.Kind) bool { return a(f, k) != b(f, k) }
	}
	return nil
}

// word is a text: a constant, a fact, or the kind that is looked at.
func (s scope) word(e ast.Expr) func(*recovery.Facts, recovery.Kind) string {
	if text, ok := textLiteral(e); ok {
		return func(*recovery.Facts, recovery.Kind) string { return text }
	}
	if s != "" && e.Kind() == ast.IdentKind && e.AsIdent() == string(s) {
		return func(_ *recovery.Facts, k recovery.Kind) string { return k.String() }
	}
	if v := variableOf(e); v != nil && v.text != nil {
		return func(f *recovery.Facts, _ recovery.Kind) string { return v.text(f) }
	}
	return nil
}

// numbers compares a number with a constant, on either side.
func numbers(op string, left, right ast.Expr) predicate {
	if left.Kind() == ast.LiteralKind {
		left, right, op = right, left, mirrored[op]
	}
	v := variableOf(left)
	if v == nil || right.Kind() != ast.LiteralKind {
		return nil
	}
	holds := signs[op]
	switch limit := right.AsLiteral().(type) {
	case types.Int:
		if v.count != nil {
			return func(f *recovery.Facts, _ recovery.Kind) bool { return holds[1+cmp.Compare(v.count(f), int64(limit))] }
		}
		if exact := float64(limit); v.number != nil && int64(exact) == int64(limit) {
			return func(f *recovery.Facts, _ recovery.Kind) bool { return holds[1+cmp.Compare(v.number(f), exact)] }
		}
	case types.Double:
		if v.number != nil && !math.IsNaN(float64(limit)) { // CEL knows what to do with NaN
			return func(f *recovery.Facts, _ recovery.Kind) bool {
				return holds[1+cmp.Compare(v.number(f), float64(limit))]
			}
		}
	}
	return nil
}

// signs says whether a comparison holds for less, equal and greater.
var signs = map[string][3]bool{
	operators.Less:          {true, false, false},
	operators.LessEquals:    {true, true, false},
	operators.Equals:        {false, true, false},
	operators.NotEquals:     {true, false, true},
	operators.GreaterEquals: {false, true, true},
	operators.Greater:       {false, false, true},
}

var mirrored = map[string]string{
	operators.Less: operators.Greater, operators.LessEquals: operators.GreaterEquals,
	operators.Greater: operators.Less, operators.GreaterEquals: operators.LessEquals,
	operators.Equals: operators.Equals, operators.NotEquals: operators.NotEquals,
}

// overKinds is failure.kinds.exists(k, …) or failure.kinds.all(k, …), which CEL
// spells out as a loop.
func (s scope) overKinds(loop ast.ComprehensionExpr) predicate {
	v := variableOf(loop.IterRange())
	if s != "" || v == nil || v.name != kindsName || loop.HasIterVar2() || loop.LoopStep().Kind() != ast.CallKind {
		return nil
	}
	start, ok := boolLiteral(loop.AccuInit())
	step := loop.LoopStep().AsCall()
	exists := ok && !start && step.FunctionName() == operators.LogicalOr
	all := ok && start && step.FunctionName() == operators.LogicalAnd
	if !exists && !all || !isIdent(step.Args()[0], loop.AccuVar()) || !isIdent(loop.Result(), loop.AccuVar()) {
		return nil
	}
	p := scope(loop.IterVar()).predicate(step.Args()[1])
	if p == nil {
		return nil
	}
	return func(f *recovery.Facts, _ recovery.Kind) bool {
		for set, k := f.Failure.Kinds>>1, recovery.Kind(1); set != 0; set, k = set>>1, k+1 {
			if set&1 != 0 && p(f, k) != start {
				return !start
			}
		}
		return start
	}
}

func isIdent(e ast.Expr, name string) bool { return e.Kind() == ast.IdentKind && e.AsIdent() == name }

func textLiteral(e ast.Expr) (string, bool) {
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	text, ok := e.AsLiteral().(types.String)
	return string(text), ok
}

func boolLiteral(e ast.Expr) (value, ok bool) {
	if e.Kind() != ast.LiteralKind {
		return false, false
	}
	b, ok := e.AsLiteral().(types.Bool)
	return bool(b), ok
}

// variableOf is the fact that an expression names; nil if it names none.
func variableOf(e ast.Expr) *variable {
	if e.Kind() != ast.IdentKind {
		return nil
	}
	return byName[e.AsIdent()]
}

// kindNamed is the kind of a name; zero if there is none.
func kindNamed(name string) recovery.Kind {
	return recovery.Kind(max(slices.Index(kindWords, name), 0))
}
