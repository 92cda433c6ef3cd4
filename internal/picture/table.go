package main

import (
	"fmt"
	"strings"

	"github.com/makeamends/amends/internal/recovery"
)

// steps is the life of a case as a table: in a row, the state to which a step
// leads from each.
func steps() string {
	var b strings.Builder
	b.WriteString("| step |")
	for from := recovery.Open; from <= recovery.FollowedUp; from++ {
		fmt.Fprintf(&b, " from %s |", from)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", int(recovery.FollowedUp)) + "\n")
	rows := map[recovery.Step]*[recovery.FollowedUp + 1]recovery.State{}
	var last recovery.Step
	for _, m := range recovery.Moves() {
		if rows[m.Step] == nil {
			rows[m.Step] = &[recovery.FollowedUp + 1]recovery.State{}
		}
		rows[m.Step][m.From] = m.To
		last = max(last, m.Step)
	}
	for step := recovery.StepReport; step <= last; step++ {
		if rows[step] != nil {
			b.WriteString(row(step, rows[step]))
		}
	}
	return b.String()
}

func row(step recovery.Step, to *[recovery.FollowedUp + 1]recovery.State) string {
	line := "| " + step.String() + " |"
	if byTime(step) {
		line = "| *" + step.String() + "* |"
	}
	for from := recovery.Open; from <= recovery.FollowedUp; from++ {
		switch to[from] {
		case 0:
			line += " |"
		case from:
			line += " stays |"
		default:
			line += " **" + to[from].String() + "** |"
		}
	}
	return line + "\n"
}
