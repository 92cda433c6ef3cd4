package show

import (
	"math"
	"strings"
)

// eighths are the blocks from empty to full.
var eighths = []string{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"}

// rightBar grows to the right over cells columns; share is 0..1. What is more than nothing is never drawn as nothing.
func rightBar(share float64, cells int) string {
	steps := int(math.Round(min(max(share, 0), 1) * float64(cells*8)))
	if share > 0 {
		steps = max(steps, 1)
	}
	return strings.Repeat("█", steps/8) + eighths[steps%8]
}

// leftBar grows to the left, in halves of a column, since there are no finer blocks for that side.
func leftBar(share float64, cells int) string {
	steps := int(math.Round(min(max(share, 0), 1) * float64(cells*2)))
	if share > 0 {
		steps = max(steps, 1)
	}
	bar := strings.Repeat("█", steps/2)
	if steps%2 == 1 {
		bar = "▐" + bar
	}
	return bar
}

// balance draws signed numbers around one axis: what lowers to its left, what raises to its right, both to one scale.
type balance struct {
	scale       float64 // columns per 1
	left, right int     // columns on each side
}

func newBalance(values []float64, cells int) balance {
	low, high := 0.0, 0.0
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	if high == low {
		return balance{}
	}
	left := 0
	if low < 0 {
		left = min(max(int(math.Round(float64(cells)*-low/(high-low))), 1), cells-1)
	}
	b := balance{left: left, right: cells - left}
	b.scale = float64(cells) / (high - low)
	if high > 0 {
		b.scale = min(b.scale, float64(b.right)/high)
	}
	if low < 0 {
		b.scale = min(b.scale, float64(b.left)/-low)
	}
	return b
}

// draw is the bar of one value, as wide as the whole balance.
func (b balance) draw(w *writer, value float64) string {
	if b.left+b.right == 0 {
		return ""
	}
	size := math.Abs(value) * b.scale
	if value < 0 {
		bar := leftBar(size/float64(b.left), b.left)
		return strings.Repeat(" ", b.left-width(bar)) + w.in(green, bar) + w.dim("│") + strings.Repeat(" ", b.right)
	}
	bar := rightBar(size/float64(b.right), b.right)
	return strings.Repeat(" ", b.left) + w.dim("│") + w.in(red, bar) + strings.Repeat(" ", b.right-width(bar))
}
