package main

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/makeamends/amends/internal/show"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// mostRecent is how many events a board remembers: more than any screen shows.
const mostRecent = 50

// boardView keeps what a board shows: the cases that are not over, and what happened last. Events come in while it is drawn.
type boardView struct {
	bands []recoveryv1.Band           // empty: all
	kinds []recoveryv1.TransitionKind // of the events that are told; empty: all

	mu     sync.Mutex
	cases  map[string]*recoveryv1.Case
	recent []*recoveryv1.CaseEvent
	status string

	// loss is shown for a while, whatever comes after it: from the first time that it is drawn.
	loss      string
	lossUntil time.Time
}

// showLoss is how long a board says that it has missed events.
const showLoss = time.Minute

func newBoardView(bands []recoveryv1.Band, kinds []recoveryv1.TransitionKind) *boardView {
	return &boardView{bands: bands, kinds: kinds, cases: map[string]*recoveryv1.Case{}, status: "connecting …"}
}

func (b *boardView) listed(cases []*recoveryv1.Case, _ string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.cases)
	for _, c := range cases {
		b.cases[c.GetCaseId()] = c
	}
	return nil
}

// happened takes the case of an event as it stands. An event from before the list may come with a case from before it.
func (b *boardView) happened(event *recoveryv1.CaseEvent) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	id, c := event.GetCaseId(), event.GetCase()
	switch known := b.cases[id]; {
	case c == nil || show.IsOver(c):
		delete(b.cases, id)
	case known.GetRevision() <= c.GetRevision():
		b.cases[id] = c
	}
	if b.shows(event.GetBand()) && (len(b.kinds) == 0 || slices.Contains(b.kinds, event.GetTransition().GetKind())) {
		b.recent = append(b.recent, event)
		b.recent = b.recent[max(len(b.recent)-mostRecent, 0):]
	}
	return nil
}

func (b *boardView) told(note string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status = note
}

func (b *boardView) lost(note string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status, b.loss, b.lossUntil = note, note, time.Time{}
}

// notice is what to say now: what is wrong, else what was lost a moment ago.
func (b *boardView) notice(now time.Time) string {
	if b.loss != "" && b.lossUntil.IsZero() {
		b.lossUntil = now.Add(showLoss)
	}
	if b.status == "" && now.Before(b.lossUntil) {
		return b.loss
	}
	return b.status
}

func (b *boardView) shows(band recoveryv1.Band) bool {
	return len(b.bands) == 0 || slices.Contains(b.bands, band)
}

// lines draws the board for a page of so many lines.
func (b *boardView) lines(page show.Page, height int) []string {
	b.mu.Lock()
	board := show.Board{Recent: slices.Clone(b.recent), Status: b.notice(page.Now), Height: height}
	for c := range maps.Values(b.cases) {
		if b.shows(c.GetAssessment().GetRisk().GetBand()) {
			board.Cases = append(board.Cases, c)
		}
	}
	b.mu.Unlock()
	return board.Lines(page)
}
