// Package turns says in which order those take turns that are compared.
package turns

import "iter"

// InRound gives the indices of n in the order of one round. What one leaves behind,
// such as garbage and busy caches, is the next one's to bear; so the rounds are rows of
// a Williams design, in which each follows each other one equally often, after n rounds
// or, where n is odd, twice as many.
func InRound(round, n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if n%2 == 1 && round%2 == 1 {
				i = n - 1 - i // rows of an odd number are balanced by their mirror images
			}
			zigzag := (i + 1) / 2 // 0, 1, n-1, 2, n-2 and so on: no two steps are equal
			if i%2 == 0 {
				zigzag = n - zigzag
			}
			shift := round
			if n%2 == 1 {
				shift = n - round%n // so that mirrored rows do not begin as the ones before
			}
			if !yield((zigzag + shift) % n) {
				return
			}
		}
	}
}
