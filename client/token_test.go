package client

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// A token that was rotated is sent some seconds later; one that is written just
// now, and so cannot be read, fails calls until it can.
func TestTokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		file := &tokenFile{path: path}
		got := func() string {
			text, err := file.token(t.Context())
			if err != nil {
				return "error"
			}
			return text
		}
		for _, step := range []struct {
			write string
			pause time.Duration
			want  string
		}{
			{" one \n", 0, "one"}, {"two", tokenAge - 1, "one"}, {"two", 1, "two"}, {"", tokenAge, "error"}, {"three", 0, "three"},
		} {
			write(step.write)
			time.Sleep(step.pause)
			if text := got(); text != step.want {
				t.Errorf("after %q, %q; want %q", step.write, text, step.want)
			}
		}
	})
}
