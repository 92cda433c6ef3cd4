package policy

import (
	"testing"

	"github.com/makeamends/amends/internal/recovery"
)

func TestDefaultHasNoFindings(t *testing.T) {
	if _, findings := Parse("default.yaml", defaultYAML); len(findings) > 0 {
		t.Fatal(findings)
	}
}

func BenchmarkMenu(b *testing.B) {
	p := Default().Rules
	f := recovery.Facts{
		Failure:  recovery.Failure{Kinds: recovery.Kinds(recovery.Late, recovery.WrongItem), Voice: recovery.Private},
		Severity: .6, Repeat: 1, Lost: recovery.LostGood, Profile: recovery.Profile{Relationship: recovery.Steady},
		Assessment: &recovery.Assessment{Risk: recovery.Risk{Band: recovery.High, Ignored: .7}},
	}
	for _, item := range p.Menu {
		b.Run(item.ID, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				item.When(&f)
			}
		})
	}
}
