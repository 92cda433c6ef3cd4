package show

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/type/money"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// give writes what is to be given, less what was accepted already.
func (w *writer) give(c *recoveryv1.Case) {
	r, accepted := left(c)
	note, nothing := "", "Nothing."
	if r.GetRatio() > 0 {
		note = fmt.Sprintf("aims at %.2f × the order value", r.GetRatio())
	}
	if accepted != nil {
		note, nothing = "beside the "+Money(accepted)+" that was accepted", "Nothing more."
	}
	w.section("GIVE", note)
	if len(r.GetItems()) == 0 {
		w.prose(2, nothing)
	}
	w.items(2, r.GetItems(), r.GetTotal())
	if len(r.GetOptions()) > 0 {
		w.line("")
		w.prose(2, "Or let the customer choose:")
	}
	for i, option := range r.GetOptions() {
		w.prose(2, fmt.Sprintf("%c) %s", 'a'+i, w.bold(option.GetTitle())))
		w.items(5, option.GetItems(), nil)
	}
	if r.GetExpiresAt() != nil && len(r.GetItems()) > 0 {
		w.prose(2, w.dim("Holds until "+w.moment(r.GetExpiresAt())+"; after that, ask again."))
	}
}

// items writes what to give, one thing a line. What has no price is told in words, and so is everything when the total is asked for:
// in the options the same words would come again and again.
func (w *writer) items(indent int, items []*recoveryv1.RecommendationItem, total *money.Money) {
	rows := make([][]string, 0, len(items)+1)
	for _, item := range items {
		amount, text := "", item.GetDescription()
		if !isZero(item.GetAmount()) {
			amount = Money(item.GetAmount())
			if total == nil {
				text = ""
			}
		}
		rows = append(rows, []string{plain(item.GetKind()), amount, plain(item.GetMedium()), w.approval(item), text})
	}
	if !isZero(total) {
		rows = append(rows, []string{w.bold("total"), w.bold(Money(total)), "", w.approvalTotal(items), ""})
	}
	if len(rows) == 0 {
		return
	}
	alignRight(rows, 1)
	if width(rows[0][1]) == 0 { // nothing has a price
		for i, row := range rows {
			rows[i] = slices.Delete(row, 1, 2)
		}
	}
	widths := columnWidths(rows)
	below := indent + widths[0] + len(gap)
	for _, row := range rows {
		last := len(row) - 1
		w.columns(indent, widths, [][]string{row[:last]})
		if row[last] != "" {
			w.prose(below, w.dim(row[last]))
		}
	}
}

func (w *writer) approval(item *recoveryv1.RecommendationItem) string {
	switch needs := item.GetApprovalRequired(); {
	case !isZero(needs) && Money(needs) == Money(item.GetAmount()):
		return w.in(orange, "needs approval")
	case !isZero(needs):
		return w.in(orange, Money(needs)+" needs approval")
	case isZero(item.GetAmount()):
		return ""
	default:
		return "automatic"
	}
}

func (w *writer) approvalTotal(items []*recoveryv1.RecommendationItem) string {
	var waiting []string
	for _, item := range items {
		if !isZero(item.GetApprovalRequired()) {
			waiting = append(waiting, Money(item.GetApprovalRequired()))
		}
	}
	if len(waiting) == 0 {
		return ""
	}
	return w.in(orange, strings.Join(waiting, " and ")+" may not be given by itself and waits for an approver; the deadlines do not wait")
}

func (w *writer) review(r *recoveryv1.Recommendation) {
	if !r.GetReviewRequired() {
		return
	}
	w.section("A PERSON MUST DECIDE FIRST", "")
	for _, reason := range r.GetReviewReasons() {
		w.prose(2, w.in(orange, reviewWord(reason)))
	}
}

// amounts joins what is known of several amounts, such as "18.00 USD, 9.00 EUR".
func amounts(list []*money.Money) string {
	texts := make([]string, 0, len(list))
	for _, m := range list {
		texts = append(texts, Money(m))
	}
	return strings.Join(texts, ", ")
}
