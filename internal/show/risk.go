package show

import (
	"fmt"
	"math"
	"strings"

	"github.com/charmbracelet/lipgloss"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func width(text string) int { return lipgloss.Width(text) }

func (w *writer) risk(a *recoveryv1.Assessment) {
	w.section("RISK THAT THE CUSTOMER LEAVES", "")
	risk := a.GetRisk()
	cells := w.width() - 45
	row := func(name string, share float64, colour lipgloss.Color, note string) []string {
		bar := rightBar(share, cells)
		return []string{name, percent(share), w.in(colour, bar) + strings.Repeat(" ", cells-width(bar)), note}
	}
	band := bandColour(risk.GetBand())
	rows := [][]string{
		row("if nobody answers", risk.GetIgnored(), band, w.badge(risk.GetBand())),
		row("if we answer late", risk.GetLate(), yellow, ""),
		row("if we answer on time", risk.GetOnTime(), green, ""),
		row("without any failure", a.GetBaseline(), grey, ""),
	}
	alignRight(rows, 1)
	w.grid(2, rows)
	w.prose(2, w.dim(outlook(a)))
}

// outlook says what the four figures leave out.
func outlook(a *recoveryv1.Assessment) string {
	var parts []string
	if escalation := a.GetEscalationProbability(); escalation >= 1 {
		parts = append(parts, "The complaint is public.")
	} else {
		parts = append(parts, fmt.Sprintf("Chance that they go public: %s.", percent(escalation)))
	}
	if !noticed(a) {
		parts = append(parts, fmt.Sprintf("Chance that they have noticed: %s.", percent(a.GetNoticed())))
	}
	if !patient(a) {
		parts = append(parts, fmt.Sprintf("Patience left after waiting: %s.", percent(a.GetPatience())))
	}
	if level := a.GetServiceLevel(); level != recoveryv1.ServiceLevel_SERVICE_LEVEL_UNSPECIFIED {
		parts = append(parts, "Service level: "+plain(level)+".")
	}
	return strings.Join(parts, " ")
}

func (w *writer) reasons(a *recoveryv1.Assessment) {
	w.section("WHY", "what raises the risk and what lowers it; grade and source of the evidence")
	w.balance(a, func(r *recoveryv1.Reason) string { return w.dim(source(r)) })
}

// source says where the number of a reason is from.
func source(r *recoveryv1.Reason) string {
	if r.GetSource() == "" && r.GetEvidenceGrade() == recoveryv1.EvidenceGrade_EVIDENCE_GRADE_O {
		return "our judgement"
	}
	return r.GetSource()
}

// reasonsInBrief leaves the sources out.
func (w *writer) reasonsInBrief(a *recoveryv1.Assessment) {
	w.section("WHY", "what raises the risk and what lowers it; how good the evidence is, A to D, O: ours")
	w.balance(a, func(*recoveryv1.Reason) string { return "" })
}

// balance draws each reason with its sign and size.
func (w *writer) balance(a *recoveryv1.Assessment, source func(*recoveryv1.Reason) string) {
	values := make([]float64, 0, len(a.GetReasons()))
	for _, reason := range a.GetReasons() {
		values = append(values, reason.GetContribution())
	}
	bars := newBalance(values, min(max(w.width()-76, 10), 24))
	var rows [][]string
	for _, reason := range a.GetReasons() {
		rows = append(rows, []string{
			reasonWord(reason.GetCode()), signed(reason.GetContribution()), bars.draw(w, reason.GetContribution()),
			word(reason.GetEvidenceGrade()), source(reason),
		})
	}
	rows = append(rows, []string{w.bold("together"), w.bold(signed(a.GetLogOdds())), "", "", ""})
	alignRight(rows, 1)
	together := rows[len(rows)-1]
	widths := columnWidths(rows)
	w.columns(2, widths, rows[:len(rows)-1])
	// What it comes to begins below the bars: it needs more room than a source has.
	w.columns(2, widths, [][]string{{together[0], together[1], w.dim(comesTo(a))}})
	if a.GetDoubleDeviation() {
		w.prose(2, "We failed them twice: "+causes(a.GetDoubleDeviationCauses())+".")
	}
	switch owed := a.GetPositivesOwed(); {
	case a.GetPositivesFallShort():
		w.prose(2, fmt.Sprintf("Good experiences cannot cancel these reasons: %d would, but fewer count (folklore, grade D).", owed))
	case owed > 0:
		w.prose(2, fmt.Sprintf("%s would cancel these reasons (folklore, grade D).", count(owed, "good experience")))
	}
}

// comesTo turns the log-odds into a probability, and says what they leave out where that makes another risk of it.
func comesTo(a *recoveryv1.Assessment) string {
	text := "log-odds: " + percent(1/(1+math.Exp(-a.GetLogOdds())))
	if !noticed(a) {
		text += " of those who noticed"
	}
	if !patient(a) {
		text += ", while patience lasts"
	}
	return text
}

// noticed tells that the customer is known to have noticed the failure.
func noticed(a *recoveryv1.Assessment) bool { return a.GetNoticed() >= shownAsAll }

// patient tells that no patience is used up.
func patient(a *recoveryv1.Assessment) bool { return a.GetPatience() >= shownAsAll }

// shownAsAll is the least share that is written as 100.0 %.
const shownAsAll = 0.9995

func causes(codes []recoveryv1.ReasonCode) string {
	words := make([]string, 0, len(codes))
	for _, code := range codes {
		words = append(words, reasonWord(code))
	}
	return strings.Join(words, "; ")
}

func count(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
