package nearest_test

import (
	"testing"

	"github.com/makeamends/amends/internal/nearest"
)

func TestWord(t *testing.T) {
	known := []string{"LATE", "RUDE", "REFUSED", "DAMAGED"}
	for word, want := range map[string]string{"laet": "LATE", "refsed": "REFUSED", "damagde": "DAMAGED", "wonderful": "", "x": ""} {
		if got := nearest.Word(word, known); got != want {
			t.Errorf("Word(%q) = %q, want %q", word, got, want)
		}
	}
}
