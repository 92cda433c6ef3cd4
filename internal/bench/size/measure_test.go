package size_test

import (
	"errors"
	"flag"
	"strings"
	"testing"

	"github.com/makeamends/amends/internal/bench/size"
	"github.com/makeamends/amends/internal/redisproc"
)

var customers = flag.Int("customers", 200, "how many customers of each kind")

// TestMeasure is the command that docs/size.md names; with few customers it sees to
// it that the measuring works, and that a customer does not grow.
func TestMeasure(t *testing.T) {
	if _, err := redisproc.Binary(); errors.Is(err, redisproc.ErrMissing) {
		t.Skip(err)
	}
	o := size.Options{Customers: *customers, Changes: max(3, min(*customers, 20_000)), Longest: max(100, *customers/100), Rounds: 3}
	r, err := size.Measure(t.Context(), o, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	write(&text, r)
	t.Logf("\n%s", text.String())
	if r.Positive.Usage > 200 || r.Case.Usage > 1200 {
		t.Errorf("a customer with one good experience takes %d B, one with a case %d B", r.Positive.Usage, r.Case.Usage)
	}
	for _, g := range r.Growth[1:] { // what grows is the numbers that count them
		if first := r.Growth[0]; g.Positive > first.Positive+16 || g.Case > first.Case+256 {
			t.Errorf("after %d good experiences a customer takes %d B and with a case %d B, after one %d B and %d B", g.Events, g.Positive, g.Case, first.Positive, first.Case)
		}
		if g.Open > 1536 {
			t.Errorf("after %d good experiences a customer with an open case takes %d B", g.Events, g.Open)
		}
	}
	if each := r.AClosedCase(); each < 200 || each > 1024 {
		t.Errorf("a closed case takes %.0f B", each)
	}
}
