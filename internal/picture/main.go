// Command picture makes what the docs show, in the folder of the docs: of the
// rules from the rules themselves, and of a trace from what a real Jaeger told of
// it, which `make trace-sample` records. Run it as go run ./internal/picture docs
package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"

	"github.com/makeamends/amends/internal/page"
)

func main() {
	if err := draw(cmp.Or(append(os.Args[1:], "")[0], "docs")); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

// draw makes everything anew in the folder of the docs. The pages must be there
// already: only what stands between their markers is made.
func draw(docs string) error {
	if err := score(filepath.Join(docs, "pictures", "score.svg")); err != nil {
		return err
	}
	picture, err := life()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(docs, "pictures", "case.svg"), picture, 0o644); err != nil {
		return err
	}
	if picture, err = traces(filepath.Join(docs, "pictures", "traces.json")); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(docs, "pictures", "trace.svg"), picture, 0o644); err != nil {
		return err
	}
	if err := page.Write(filepath.Join(docs, "life-of-a-case.md"), part("steps", steps()), part("numbers", numbers())); err != nil {
		return err
	}
	return page.Write(filepath.Join(docs, "access.md"), part("roles", roles()))
}

func part(name, text string) page.Part { return page.Part{Name: name, Text: text, By: "make pictures"} }
