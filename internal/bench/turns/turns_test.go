package turns

import (
	"fmt"
	"slices"
	"testing"
)

// Whatever one turn leaves behind meets all others: each follows each other one, and
// begins a round, about equally often.
func TestTurnsAreBalanced(t *testing.T) {
	for n := 1; n <= 6; n++ {
		whole := n // rounds after which all are equal
		if n%2 == 1 {
			whole = 2 * n
		}
		for _, rounds := range []int{whole, 5} {
			follows, begins := map[[2]int]int{}, make([]int, n)
			for round := range rounds {
				order := slices.Collect(InRound(round, n))
				if sorted := slices.Sorted(slices.Values(order)); !slices.Equal(sorted, upTo(n)) {
					t.Fatalf("a round of %d is %v", n, order)
				}
				begins[order[0]]++
				for i := range n - 1 {
					follows[[2]int{order[i], order[i+1]}]++
				}
			}
			fewest, most := rounds, 0
			for a := range n {
				for b := range n {
					if a != b {
						fewest, most = min(fewest, follows[[2]int{a, b}]), max(most, follows[[2]int{a, b}])
					}
				}
			}
			what := fmt.Sprintf("%d in %d rounds", n, rounds)
			apart := 2
			if rounds == whole {
				apart = 0
			}
			if n > 1 && most-fewest > apart {
				t.Errorf("%s: one follows another %d to %d times", what, fewest, most)
			}
			if slices.Max(begins)-slices.Min(begins) > apart {
				t.Errorf("%s: they begin %v times", what, begins)
			}
		}
	}
}

func upTo(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}
