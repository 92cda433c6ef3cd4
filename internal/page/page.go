// Package page puts what is made into pages that are written by hand.
package page

import (
	"bytes"
	"fmt"
	"os"
)

// Part is a piece of a page that stands between markers of its name.
type Part struct {
	Name, Text string
	By         string // the command that makes it
}

// Write puts parts into a file, which must have the markers already.
func Write(file string, parts ...Part) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if text, err = part.Into(text); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return os.WriteFile(file, text, 0o644)
}

// Into puts the part into a text in place of what stood there.
func (p Part) Into(text []byte) ([]byte, error) {
	start := fmt.Appendf(nil, "<!-- %s: made by `%s` -->\n", p.Name, p.By)
	end := fmt.Appendf(nil, "<!-- end of %s -->", p.Name)
	i := bytes.Index(text, start)
	if i < 0 {
		return nil, fmt.Errorf("it lacks the line %s", bytes.TrimSpace(start))
	}
	i += len(start)
	j := bytes.Index(text[i:], end)
	if j < 0 {
		return nil, fmt.Errorf("it lacks the line %s", end)
	}
	return bytes.Join([][]byte{text[:i], []byte("\n" + p.Text + "\n"), text[i+j:]}, nil), nil
}
