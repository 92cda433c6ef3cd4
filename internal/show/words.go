package show

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// word is the value of an enum without the name of the enum: CRITICAL for BAND_CRITICAL.
func word(value protoreflect.Enum) string {
	values := value.Descriptor().Values()
	prefix := strings.TrimSuffix(string(values.ByNumber(0).Name()), "UNSPECIFIED")
	known := values.ByNumber(value.Number())
	if known == nil {
		return fmt.Sprintf("%d (unknown to this version)", value.Number())
	}
	return strings.TrimPrefix(string(known.Name()), prefix)
}

// plain is the value of an enum in ordinary letters: "first response" for MILESTONE_FIRST_RESPONSE.
func plain(value protoreflect.Enum) string {
	return strings.ToLower(strings.ReplaceAll(word(value), "_", " "))
}

// reasonWords say what each term of the risk stands for.
var reasonWords = map[recoveryv1.ReasonCode]string{
	recoveryv1.ReasonCode_REASON_CODE_SEVERITY:           "how bad it was",
	recoveryv1.ReasonCode_REASON_CODE_CONTROLLABILITY:    "we could do little about it",
	recoveryv1.ReasonCode_REASON_CODE_MOTIVE:             "the motive they see",
	recoveryv1.ReasonCode_REASON_CODE_REPEAT:             "it was not the first time",
	recoveryv1.ReasonCode_REASON_CODE_SIMILAR:            "the same kind again",
	recoveryv1.ReasonCode_REASON_CODE_STABLE:             "the cause keeps coming back",
	recoveryv1.ReasonCode_REASON_CODE_DOUBLE_DEVIATION:   "we failed them twice",
	recoveryv1.ReasonCode_REASON_CODE_PUBLIC:             "said in public",
	recoveryv1.ReasonCode_REASON_CODE_BETRAYAL:           "love turned to hate",
	recoveryv1.ReasonCode_REASON_CODE_SILENT:             "silent for a day or more",
	recoveryv1.ReasonCode_REASON_CODE_GOODWILL:           "good experiences before",
	recoveryv1.ReasonCode_REASON_CODE_DEADLINE_MISSED:    "a deadline was missed",
	recoveryv1.ReasonCode_REASON_CODE_REFUSED_OR_IGNORED: "the customer was refused or ignored",
	recoveryv1.ReasonCode_REASON_CODE_FOLLOW_UP_MISSED:   "a promised follow-up was missed",
	recoveryv1.ReasonCode_REASON_CODE_THIRD_SAME_KIND:    "the third failure of one kind without amends",
}

func reasonWord(code recoveryv1.ReasonCode) string {
	if text, ok := reasonWords[code]; ok {
		return text
	}
	return plain(code)
}

// boundWords say why a deadline is when it is.
var boundWords = map[recoveryv1.Bound]string{
	recoveryv1.Bound_BOUND_PUBLIC:           "because the customer spoke in public",
	recoveryv1.Bound_BOUND_ON_PREMISES:      "because the customer is still here, and leaves",
	recoveryv1.Bound_BOUND_PATIENCE_CEILING: "because office hours would outlast the customer's patience",
	recoveryv1.Bound_BOUND_STATUTORY:        "because the law says so",
	recoveryv1.Bound_BOUND_CONTRACT:         "because the contract says so",
	recoveryv1.Bound_BOUND_POLICY:           "because the policy fixes it",
}

// because says which rule set a deadline of the case. A settled deadline keeps its moment, though the band may have changed since.
func because(d *recoveryv1.Deadline, c *recoveryv1.Case) string {
	switch text, known := boundWords[d.GetBoundBy()]; {
	case known:
		return text
	case d.GetBoundBy() != recoveryv1.Bound_BOUND_BAND:
		return plain(d.GetBoundBy())
	case d.GetState() != recoveryv1.DeadlineState_DEADLINE_STATE_PENDING:
		return "because of the band it had then"
	case slices.Contains(c.GetRecommendation().GetReviewReasons(), humanDecides):
		return "because such a failure is CRITICAL whatever the score"
	default:
		return "because the band is " + word(c.GetAssessment().GetRisk().GetBand())
	}
}

// humanDecides is the review reason of failures that no score judges.
const humanDecides = "HUMAN_DECIDES"

// reviewWords say why a person must decide.
var reviewWords = map[string]string{
	humanDecides:  "Danger or a data breach: a person decides such cases, whatever the score.",
	"ABUSE_GUARD": "Far more failures on the customer's word alone than is normal.",
	"CHANNEL":     "It was said on a site that is hostile to us: no answer goes there by itself.",
	"STALE_EVENT": "It was reported too late to give anything by itself.",
}

func reviewWord(reason string) string {
	if text, ok := reviewWords[reason]; ok {
		return text
	}
	return strings.ToLower(strings.ReplaceAll(reason, "_", " "))
}

// moment writes a point in time in the zone of the page, with the year only where it is another one.
func (p Page) moment(t *timestamppb.Timestamp) string {
	if t == nil {
		return "never"
	}
	at := t.AsTime().In(p.Now.Location())
	layout := "Mon 2 Jan 15:04 MST"
	if at.Year() != p.Now.Year() {
		layout = "2 Jan 2006 15:04 MST"
	}
	return at.Format(layout)
}

// left writes how far a moment is from now: "in 2 h", "3 min ago".
func (p Page) left(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	d := roundLeft(t.AsTime().Sub(p.Now))
	switch {
	case d == 0:
		return "now"
	case d < 0:
		return Span(d.Abs()) + " ago"
	default:
		return "in " + Span(d)
	}
}

// roundLeft rounds time left: what was set a moment ago for 12 hours from then is due in 12 h, not in 11 h 59 min.
func roundLeft(d time.Duration) time.Duration {
	if d.Abs() >= time.Hour {
		return d.Round(time.Minute)
	}
	return d.Round(time.Second)
}

// Span writes a length of time in at most two units, cut off, and without minutes from a day on: "45 min", "1 h 58 min", "26 h", "3 d",
// "2 d 4 h".
func Span(d time.Duration) string {
	if d < 0 {
		return "-" + Span(d.Abs()) // of the least length -d is negative as well
	}
	if d < time.Minute {
		return fmt.Sprintf("%d s", d/time.Second)
	}
	if d < time.Hour {
		return units(d, time.Minute, "min", time.Second, "s")
	}
	if d < 24*time.Hour {
		return units(d, time.Hour, "h", time.Minute, "min")
	}
	if d < 48*time.Hour {
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return units(d, 24*time.Hour, "d", time.Hour, "h")
}

func units(d, big time.Duration, bigName string, small time.Duration, smallName string) string {
	text := fmt.Sprintf("%d %s", d/big, bigName)
	if rest := d % big / small; rest > 0 {
		text += fmt.Sprintf(" %d %s", rest, smallName)
	}
	return text
}

// percent writes a probability in per cent, with one decimal where whole numbers would hide the difference.
func percent(p float64) string { return fmt.Sprintf("%.1f %%", 100*p) }

// signed writes a number with its sign, a true minus included.
func signed(x float64) string {
	return strings.ReplaceAll(fmt.Sprintf("%+.2f", x), "-", "−")
}
