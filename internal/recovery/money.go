package recovery

import "math"

// minorPerUnit is how many minor units of a currency make one reference unit.
func (p *Policy) minorPerUnit(currency string) float64 {
	cur := p.Currencies[currency]
	return cur.Scale * math.Pow10(cur.Digits)
}

// units converts minor units into reference units; 0 for no currency.
func (p *Policy) units(minor int64, currency string) float64 {
	per := p.minorPerUnit(currency)
	if per == 0 { // no currency, or one that the policy does not list
		return 0
	}
	return float64(minor) / per
}

// minor converts reference units into whole minor units, downwards.
func (p *Policy) minor(units float64, currency string) int64 {
	return floor(units * p.minorPerUnit(currency))
}

// Rounding forgives the last bits of floating point, so that 0.45 of 200 is 90
// and not a round_to more. The forgiven part is far below a minor unit for any
// amount below 10^12 of them.
const forgiven = 1e-3

// mostMinor bounds every amount, far above any order and far below overflow.
const mostMinor = 1 << 52

func floor(minor float64) int64 {
	return int64(math.Floor(min(max(minor, 0), mostMinor) + forgiven))
}

// roundUp gives the least multiple of step that is not below minor.
func roundUp(minor float64, step int64) int64 {
	steps := math.Ceil((min(max(minor, 0), mostMinor) - forgiven) / float64(step))
	return int64(max(steps, 0)) * step
}
