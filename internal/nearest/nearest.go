// Package nearest finds the word that a typing error was probably meant to be.
package nearest

import (
	"fmt"
	"strings"
)

// Word is the known word that a typing error has probably turned into word: at most two letters apart, or one for words of
// up to four letters. It is empty if there is none. Case does not count.
func Word(word string, known []string) string {
	best, limit := "", 3
	if len(word) <= 4 {
		limit = 2
	}
	for _, candidate := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(candidate)); d < limit {
			best, limit = candidate, d
		}
	}
	return best
}

// DidYouMean asks for the nearest of the known words, in brackets behind a text about the word and in a form such as %q. It is empty
// if none is near.
func DidYouMean(word string, known []string, form string) string {
	near := Word(word, known)
	if near == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean "+form+"?)", near)
}

// distance counts the letters to insert, drop, replace or swap with their neighbour (optimal string alignment).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replace := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
