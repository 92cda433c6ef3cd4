package recovery

import "math"

// Severity grades a failure from 0 to 1. Several kinds combine as a noisy-or;
// lost money closes part of the remaining gap, on a logarithmic scale. A
// severity stated by the caller replaces the computed one; among several
// accounts of one failure the gravest word counts.
func Severity(p *Policy, f *Failure) float64 {
	if f.Stated != nil && !f.Mixed {
		return *f.Stated
	}
	spared := 1.0
	for kind := range f.Kinds.All() {
		spared *= 1 - kindSeverity(p, kind, f)
	}
	computed := 1 - spared*(1-p.Severity.MoneyWeight*moneyShare(p, f))
	if f.Stated != nil {
		return max(computed, *f.Stated)
	}
	return computed
}

func kindSeverity(p *Policy, kind Kind, f *Failure) float64 {
	if kind != Late {
		return p.Severity.Kinds[kind]
	}
	for _, step := range p.Severity.Late {
		if step.UpTo == 0 || f.Delay <= step.UpTo {
			return step.Severity
		}
	}
	return p.Severity.Kinds[Late]
}

// moneyShare is how heavily the loss weighs, 0..1.
func moneyShare(p *Policy, f *Failure) float64 {
	loss := p.units(f.Loss, f.Currency)
	if loss <= p.Severity.MoneyFrom {
		return 0
	}
	share := math.Log(loss/p.Severity.MoneyFrom) / math.Log(p.Severity.MoneyTo/p.Severity.MoneyFrom)
	return min(share, 1)
}

// resource is what the customer lost: as stated, else what the gravest kind
// usually takes.
func resource(p *Policy, f *Failure) Resource {
	if f.Resource != 0 {
		return f.Resource
	}
	var worst Kind
	for kind := range f.Kinds.All() {
		if worst == 0 || kindSeverity(p, kind, f) > kindSeverity(p, worst, f) {
			worst = kind
		}
	}
	return p.Severity.Resources[worst]
}
