package policy

import (
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/mathext"

	"github.com/makeamends/amends/internal/recovery"
)

func (c *compiler) compensation() {
	m, r := c.message.GetCompensation(), &c.rules.Compensation
	at := path{"compensation"}
	c.ratio(at.To("ratio"))
	r.LifetimeShare = m.GetLifetimeShare().GetValue()
	r.AutomaticCase = m.GetAutomaticCase().GetValue()
	r.AutomaticCustomer = m.GetAutomaticCustomer().GetValue()
	c.ascending(false,
		bound{at.To("automatic_case", "value"), r.AutomaticCase},
		bound{at.To("automatic_customer", "value"), r.AutomaticCustomer})
	c.gifts(at.To("gifts"))
	r.Token = m.GetToken().GetValue()
	r.TokenShare = m.GetTokenShare().GetValue()
	r.IncidentSeverity = m.GetIncidentSeverity().GetValue()
	r.ValidFor = duration(m.GetValidFor())
	r.DefaultCurrency = m.GetDefaultCurrency()
	_, listed := c.message.GetCurrencies().GetTable()[r.DefaultCurrency]
	c.require(listed, at.To("default_currency"), "%s is not in currencies.table", r.DefaultCurrency)

	mediums := m.GetMediums()
	r.Mediums[recovery.LostMoney] = term[recovery.Medium](mediums.GetMoney().GetValue())
	r.Mediums[recovery.LostGood] = term[recovery.Medium](mediums.GetGood().GetValue())
	r.Mediums[recovery.LostService] = term[recovery.Medium](mediums.GetService().GetValue())
	r.Mediums[recovery.LostAttention] = term[recovery.Medium](mediums.GetAttention().GetValue())
	r.Mediums[recovery.LostTime] = term[recovery.Medium](mediums.GetTime().GetValue())
	r.GoodwillCasual = term[recovery.Medium](m.GetGoodwillCasual().GetValue())
	r.GoodwillSteady = term[recovery.Medium](m.GetGoodwillSteady().GetValue())

	r.Texts[recovery.Entitlement] = m.GetTexts().GetEntitlement()
	r.Texts[recovery.Restitution] = m.GetTexts().GetRestitution()
	r.Texts[recovery.Goodwill] = m.GetTexts().GetGoodwill()
	r.MaxGestures = int(m.GetMaxGestures().GetValue())
	c.require(r.MaxGestures <= 10, at.To("max_gestures", "value"), "must be 0 to 10")
}

func (c *compiler) ratio(at path) {
	m, r := c.message.GetCompensation().GetRatio(), &c.rules.Compensation
	r.Rejected = m.GetRejected().GetValue()
	r.Accepted = m.GetAccepted().GetValue()
	r.Severity = m.GetSeverity().GetValue()
	r.Repeat = m.GetRepeat().GetValue()
	r.RepeatCap = m.GetRepeatCap().GetValue()
	r.DoubleDeviation = m.GetDoubleDeviation().GetValue()
	r.Greed = m.GetGreed().GetValue()
	r.Steady = m.GetSteady().GetValue()
	r.NotSteady = m.GetNotSteady().GetValue()
	r.FirstCeiling = m.GetFirstCeiling().GetValue()
	r.Ceiling = m.GetCeiling().GetValue()
	c.ascending(false,
		bound{at.To("first_ceiling", "value"), r.FirstCeiling},
		bound{at.To("ceiling", "value"), r.Ceiling})
}

func (c *compiler) gifts(at path) {
	m, r := c.message.GetCompensation().GetGifts(), &c.rules.Compensation.Gifts
	r[recovery.Low] = m.GetLow().GetValue()
	r[recovery.Moderate] = m.GetModerate().GetValue()
	r[recovery.High] = m.GetHigh().GetValue()
	r[recovery.Critical] = m.GetCritical().GetValue()
	c.ascending(false,
		bound{at.To("low", "value"), r[recovery.Low]},
		bound{at.To("moderate", "value"), r[recovery.Moderate]},
		bound{at.To("high", "value"), r[recovery.High]},
		bound{at.To("critical", "value"), r[recovery.Critical]})
}

func (c *compiler) options() {
	m, r := c.message.GetOptions(), &c.rules.Options
	at := path{"options"}
	r.FromSeverity = m.GetFromSeverity().GetValue()
	r.Most = int(m.GetMost().GetValue())
	c.require(r.Most <= 10, at.To("most", "value"), "must be 0 to 10")
	seen := map[string]path{}
	for i, choice := range m.GetChoices() {
		c.unique(seen, at.To("choices", i, "title"), choice.GetTitle())
		r.Choices = append(r.Choices, recovery.Choice{
			Title:       choice.GetTitle(),
			Restitution: term[recovery.Medium](choice.GetRestitution()),
			Goodwill:    term[recovery.Medium](choice.GetGoodwill()),
		})
	}
}

func (c *compiler) guard() {
	m, r := c.message.GetGuard(), &c.rules.Guard
	at := path{"guard"}
	r.Alpha, r.Beta = m.GetAlpha().GetValue(), m.GetBeta().GetValue()
	r.MeanRate, r.Multiple = m.GetMeanRate().GetValue(), m.GetMultiple().GetValue()
	r.Certainty = m.GetCertainty().GetValue()
	r.Above = above
	c.require(r.Alpha > 0, at.To("alpha", "value"), "must be above 0")
	c.require(r.Beta > 0, at.To("beta", "value"), "must be above 0")
	c.require(r.MeanRate > 0, at.To("mean_rate", "value"), "must be above 0")
	if c.Sound(at.To("mean_rate", "value")) {
		c.require(r.Multiple*r.MeanRate < 1, at.To("multiple", "value"), "times mean_rate must be below 1: it is a rate")
	}
}

// above is P(rate > x) for a Beta(a, b) rate.
func above(a, b, x float64) float64 {
	switch {
	case x <= 0:
		return 1
	case x >= 1:
		return 0
	}
	return 1 - mathext.RegIncBeta(a, b, x)
}

func (c *compiler) currencies() {
	table := c.message.GetCurrencies().GetTable()
	c.rules.Currencies = make(map[string]recovery.Currency, len(table))
	for code, m := range table {
		at := path{"currencies", "table", key(code)}
		digits, known := minorDigits[code]
		if !known {
			if line, column := c.PlaceOfKey(at); !c.Marked(line, column) {
				c.AddAt(line, column, at.String(), "%s is no current ISO 4217 currency", code)
			}
			continue
		}
		step, err := minorUnits(m.GetRoundTo(), digits)
		c.require(err == "", at.To("round_to"), "%s", err)
		budget := int64(recovery.NoBudget)
		if text := m.GetDailyBudget(); text != "" {
			budget, err = minorUnits(text, digits)
			c.require(err == "", at.To("daily_budget"), "%s", err)
		}
		c.rules.Currencies[code] = recovery.Currency{Digits: digits, Scale: m.GetScale(), RoundTo: step, DailyBudget: budget}
	}
}

// minorUnits reads a decimal in currency units; the problem is empty if it is a
// positive whole number of minor units.
func minorUnits(text string, digits int) (units int64, problem string) {
	whole, fraction, _ := strings.Cut(text, ".")
	fraction = strings.TrimRight(fraction, "0")
	if len(fraction) > digits {
		return 0, "must be a multiple of the minor unit, which is " + strconv.FormatFloat(math.Pow10(-digits), 'f', digits, 64)
	}
	units, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", digits-len(fraction)), 10, 64)
	if err != nil || units <= 0 {
		return 0, "must be above 0"
	}
	return units, ""
}
