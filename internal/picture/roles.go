package main

import (
	"fmt"
	"strings"

	"github.com/makeamends/amends/internal/auth"
)

// roles is the table of methods and of who may call them.
func roles() string {
	all := []auth.Roles{auth.Reporter, auth.Agent, auth.Approver, auth.Reader, auth.Privacy, auth.Admin}
	var b strings.Builder
	b.WriteString("| method |")
	for _, r := range all {
		fmt.Fprintf(&b, " %s |", r)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(all)) + "\n")
	for _, m := range auth.Methods {
		fmt.Fprintf(&b, "| %s |", m.Short())
		for _, r := range all {
			switch {
			case m.Open:
				b.WriteString(" everybody |")
			case m.Allows(r):
				b.WriteString(" yes |")
			default:
				b.WriteString(" |")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}
