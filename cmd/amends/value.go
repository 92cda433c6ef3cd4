package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/genproto/googleapis/type/money"
)

// moneyValue is a flag of an amount, such as "18.00 USD" or "USD 18". It is read digit by digit: no float comes near it.
type moneyValue struct{ target **money.Money }

func (v moneyValue) Set(text string) error {
	amount, err := parseMoney(text)
	switch {
	case err != nil:
		return err
	case amount.GetUnits() < 0 || amount.GetNanos() < 0:
		return fmt.Errorf("%s: must not be negative", text)
	case amount.GetUnits() >= mostUnits:
		return fmt.Errorf("%s: must be below %d", text, int64(mostUnits))
	}
	*v.target = amount
	return nil
}

// mostUnits is what every amount of the contract is below.
const mostUnits = 1_000_000_000_000

func (v moneyValue) String() string {
	if v.target == nil || *v.target == nil {
		return ""
	}
	return (*v.target).String()
}

func (v moneyValue) Type() string { return "amount" }

var errMoney = errors.New(`write an amount and its currency, such as "18.00 USD", with a point before at most 9 decimals`)

func parseMoney(text string) (*money.Money, error) {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return nil, errMoney
	}
	number, currency := fields[0], fields[1]
	if isLetters(number) {
		number, currency = currency, number
	}
	if len(currency) != 3 || !isLetters(currency) {
		return nil, errMoney
	}
	number, negative := strings.CutPrefix(number, "-")
	whole, decimals, hasPoint := strings.Cut(number, ".")
	if !isDigits(whole) || hasPoint && !isDigits(decimals) || len(decimals) > 9 {
		return nil, errMoney
	}
	units, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%s is more than any amount can be", whole)
	}
	nanos, err := strconv.ParseInt((decimals + "000000000")[:9], 10, 32)
	if err != nil {
		return nil, errMoney
	}
	if negative {
		units, nanos = -units, -nanos
	}
	return &money.Money{CurrencyCode: strings.ToUpper(currency), Units: units, Nanos: int32(nanos)}, nil
}

func isDigits(text string) bool {
	return text != "" && strings.Trim(text, "0123456789") == ""
}

func isLetters(text string) bool {
	return text != "" && strings.Trim(strings.ToUpper(text), "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// spanValue is a flag of a length of time: Go's notation (45m, 1h30m), and days (2d, 1d12h).
type spanValue struct{ target *time.Duration }

func (v spanValue) Set(text string) error {
	span, err := parseSpan(text)
	if err == nil {
		*v.target = span
	}
	return err
}

func (v spanValue) String() string {
	if v.target == nil || *v.target == 0 {
		return ""
	}
	return v.target.String()
}

func (v spanValue) Type() string { return "duration" }

// mostDays is the longest length of time that is read, a century.
const mostDays = 36600

var errLong = fmt.Errorf("must be %dd at most", mostDays)

// delayValue is the flag of a delay.
type delayValue struct{ spanValue }

func (v delayValue) Set(text string) error {
	span, err := parseSpan(text)
	if err == nil && span >= 0 && span <= mostDelay {
		*v.target = span
		return nil
	}
	if isSpan := err == nil || errors.Is(err, errLong); isSpan {
		return fmt.Errorf("%s: must be 0s to 3660d", text)
	}
	return err
}

// mostDelay is the longest delay of the contract.
const mostDelay = 3660 * 24 * time.Hour

func parseSpan(text string) (time.Duration, error) {
	wrong := fmt.Errorf("%q is not a length of time such as 10s, 45m, 1h30m or 2d", text)
	body, negative := strings.CutPrefix(strings.TrimPrefix(strings.TrimSpace(text), "+"), "-")
	var span time.Duration
	if days, rest, found := strings.Cut(body, "d"); found {
		count, err := strconv.ParseInt(days, 10, 32)
		if errors.Is(err, strconv.ErrRange) || count > mostDays {
			return 0, fmt.Errorf("%s: %w", text, errLong)
		}
		if err != nil {
			return 0, wrong
		}
		span, body = time.Duration(count)*24*time.Hour, rest
	}
	if body != "" {
		rest, err := time.ParseDuration(body)
		if err != nil || rest < 0 {
			return 0, wrong
		}
		span += rest
	} else if span == 0 {
		return 0, wrong
	}
	if negative {
		span = -span
	}
	return span, nil
}

// bounded is a flag of a number that is refused outside its bounds, with the other faults of the command line.
type bounded struct {
	pflag.Value
	least, most float64
}

// bound gives a flag of a number its bounds.
func bound(cmd *cobra.Command, name string, least, most float64) {
	flag := cmd.Flag(name)
	flag.Value = bounded{flag.Value, least, most}
}

func (v bounded) Set(text string) error {
	if err := v.Value.Set(text); err != nil {
		return err
	}
	switch number, err := strconv.ParseFloat(v.String(), 64); {
	case err == nil && number >= v.least && number <= v.most:
		return nil
	case math.IsInf(v.most, 1):
		return fmt.Errorf("%s: must be %v or more", text, v.least)
	default:
		return fmt.Errorf("%s: must be %v to %v", text, v.least, v.most)
	}
}

// moment is a point in time as a user names it: RFC 3339, or counted from now ("-2h", "+30m", "now").
type moment struct {
	at       *time.Time // nil: it is counted from now
	relative time.Duration
	isSet    bool
}

func (m *moment) Set(text string) error {
	if strings.EqualFold(text, "now") {
		*m = moment{isSet: true}
		return nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		*m = moment{at: &at, isSet: true}
		return nil
	}
	span, err := parseSpan(text)
	if err != nil {
		return fmt.Errorf("%q is neither a time such as 2026-03-01T18:30:00Z nor counted from now such as -2h", text)
	}
	*m = moment{relative: span, isSet: true}
	return nil
}

func (m *moment) String() string {
	switch {
	case !m.isSet:
		return ""
	case m.at == nil:
		return m.relative.String()
	default:
		return m.at.Format(time.RFC3339)
	}
}

func (m *moment) Type() string { return "time" }

// since fixes the moment, now being the given one.
func (m *moment) since(now time.Time) time.Time {
	if m.at == nil {
		return now.Add(m.relative)
	}
	return *m.at
}
