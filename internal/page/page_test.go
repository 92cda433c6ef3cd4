package page

import "testing"

// A page whose markers were lost is not passed over in silence.
func TestAPageWithoutMarkers(t *testing.T) {
	const start, end = "<!-- x: made by `make it` -->\n", "<!-- end of x -->"
	for _, page := range []string{"", start, end, end + start} {
		if got, err := (Part{"x", "text", "make it"}).Into([]byte(page)); err == nil {
			t.Errorf("into %q: %q", page, got)
		}
	}
	got, err := Part{"x", "new\n", "make it"}.Into([]byte("a\n" + start + "\nold\n\n" + end + "\nb\n"))
	if want := "a\n" + start + "\nnew\n\n" + end + "\nb\n"; err != nil || string(got) != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}
