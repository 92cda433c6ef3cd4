package show

import (
	"fmt"
	"strings"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Line writes the decision on one failure of many in one line: the customer, the band, the chance that they
// leave if nobody answers, what to give, and when to answer. Columns are as wide in every line. There is no newline.
func Line(event *recoveryv1.FailureEvent, r *recoveryv1.ReportFailureResponse, p Page) string {
	ink := p.ink()
	c := r.GetCase()
	band := c.GetAssessment().GetRisk().GetBand()
	note := ""
	if r.GetReplayed() {
		note = ink.dim("reported before")
	}
	text := fmt.Sprintf("%s %s %s %s  %s  %s",
		pad(event.GetCustomerId(), 16), ink.in(bandColour(band), pad(word(band), 8)),
		padLeft(percent(c.GetAssessment().GetRisk().GetIgnored()), 7),
		padLeft(giveInShort(c), 13), pad(p.left(c.GetRespondBy()), 14), note)
	return strings.TrimRight(text, " ")
}

// LineHead and InteractionLineHead stand above the lines.
const (
	LineHead            = "CUSTOMER         BAND      LEAVES          GIVE  ANSWER"
	InteractionLineHead = "CUSTOMER         KIND               RESULT"
)

// InteractionLine writes what became of one interaction of many in one line.
func InteractionLine(in *recoveryv1.Interaction, status recoveryv1.InteractionStatus, p Page) string {
	note := plain(status)
	if status == recoveryv1.InteractionStatus_INTERACTION_STATUS_REPLAYED {
		note = p.ink().dim("recorded before")
	}
	return strings.TrimRight(fmt.Sprintf("%s %s %s", pad(in.GetCustomerId(), 16), pad(plain(in.GetKind()), 18), note), " ")
}

func pad(text string, columns int) string {
	text = cut(text, columns)
	return text + strings.Repeat(" ", max(columns-width(text), 0))
}

func padLeft(text string, columns int) string {
	return strings.Repeat(" ", max(columns-width(text), 0)) + text
}
