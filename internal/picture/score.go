package main

import (
	"image/color"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/recovery"
)

var (
	rules = recovery.Rules{Active: policy.Default().Rules}
	now   = time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)

	red   = color.RGBA{R: 0xc0, G: 0x39, B: 0x2b, A: 0xff}
	amber = color.RGBA{R: 0xd6, G: 0x8a, B: 0x10, A: 0xff}
	green = color.RGBA{R: 0x1e, G: 0x84, B: 0x49, A: 0xff}
	grey  = color.RGBA{R: 0x88, G: 0x88, B: 0x88, A: 0xff}
)

// score draws the three risks of a customer who complained to us in private,
// by how bad the failure was: for a first failure, and after a refusal.
func score(file string) error {
	p := plot.New()
	p.Title.Text = "Risk of losing a customer who complained (dashed: after a refusal)"
	p.Title.Padding = vg.Points(8)
	p.X.Label.Text = "severity of the failure"
	p.Y.Label.Text = "risk"
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1.03, 0, 1
	p.X.Tick.Marker, p.Y.Tick.Marker = fifths, fifths
	p.Legend.Top, p.Legend.Left = true, true
	for _, line := range []struct {
		name  string
		paint color.Color
		of    func(recovery.Risk) float64
	}{
		{"nobody answers", red, func(r recovery.Risk) float64 { return r.Ignored }},
		{"a good answer, late", amber, func(r recovery.Risk) float64 { return r.Late }},
		{"a good answer, on time", green, func(r recovery.Risk) float64 { return r.OnTime }},
	} {
		first, err := curve(line.of, recovery.Late)
		if err != nil {
			return err
		}
		first.Color, first.Width = line.paint, vg.Points(2)
		twice, err := curve(line.of, recovery.Late, recovery.Refused)
		if err != nil {
			return err
		}
		twice.Color, twice.Width, twice.Dashes = line.paint, vg.Points(2), []vg.Length{vg.Points(6), vg.Points(4)}
		p.Add(first, twice)
		p.Legend.Add(line.name, first)
	}
	if err := bands(p); err != nil {
		return err
	}
	return p.Save(20*vg.Centimeter, 13*vg.Centimeter, file)
}

// fifths mark every fifth of the scale with its number.
var fifths = plot.ConstantTicks{{Value: 0, Label: "0"}, {Value: 0.2, Label: "0.2"}, {Value: 0.4, Label: "0.4"},
	{Value: 0.6, Label: "0.6"}, {Value: 0.8, Label: "0.8"}, {Value: 1, Label: "1"}}

// curve has one of the risks at every hundredth of severity.
func curve(of func(recovery.Risk) float64, kinds ...recovery.Kind) (*plotter.Line, error) {
	points := make(plotter.XYs, 0, 101)
	for i := range 101 {
		severity := float64(i) / 100
		r, err := risk(severity, kinds...)
		if err != nil {
			return nil, err
		}
		points = append(points, plotter.XY{X: severity, Y: of(r)})
	}
	return plotter.NewLine(points)
}

// risk reports a failure of a new customer, who complains at once, and gives what the decision itself says of it.
func risk(severity float64, kinds ...recovery.Kind) (recovery.Risk, error) {
	_, k, err := recovery.Report(recovery.Customer{}, recovery.Event{Failure: recovery.Failure{
		OccurredAt: now, Kinds: recovery.Kinds(kinds...), Stated: &severity,
		Voice: recovery.Private, Channel: recovery.Phone,
	}}, rules, now)
	return k.Assessment.Risk, err
}

// bands draws where each band begins.
func bands(p *plot.Plot) error {
	labels := plotter.XYLabels{}
	for b := recovery.Moderate; b <= recovery.Critical; b++ {
		from := rules.Active.Risk.Bands[b]
		line, err := plotter.NewLine(plotter.XYs{{X: 0, Y: from}, {X: 1, Y: from}})
		if err != nil {
			return err
		}
		line.Color, line.Dashes = grey, []vg.Length{vg.Points(1), vg.Points(3)}
		p.Add(line)
		labels.XYs = append(labels.XYs, plotter.XY{X: 0.01, Y: from + 0.008})
		labels.Labels = append(labels.Labels, b.String())
	}
	text, err := plotter.NewLabels(labels)
	if err != nil {
		return err
	}
	p.Add(text)
	return nil
}
