package policy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/makeamends/amends/internal/recovery"
)

// ErrUnknownVersion reports a version that is neither loaded nor in the archive.
var ErrUnknownVersion = errors.New("no policy of this version is kept")

// Archive keeps the text of every policy that a case was ever opened with.
type Archive interface {
	// KeepPolicy stores a text under its version; storing it again changes nothing.
	KeepPolicy(ctx context.Context, version string, yaml []byte) error
	// Policy gives the text of a version, nil if it is not kept.
	Policy(ctx context.Context, version string) ([]byte, error)
}

// Book holds the active policy and those that open cases were opened with. It
// is safe for concurrent use; readers never wait.
type Book struct {
	archive Archive
	change  sync.Mutex // one change at a time
	page    atomic.Pointer[page]
}

// page is one state of the book. It is replaced as a whole, never changed.
type page struct {
	active   *Compiled
	archived *atomic.Bool // the active policy is in the archive
	loaded   []Loaded     // newest last
	rules    recovery.Rules
}

// Loaded is a policy that is in memory.
type Loaded struct {
	*Compiled
	At     time.Time // when it was loaded
	Active bool      // new cases are judged by it
}

// NewBook begins with an active policy. Without an archive (nil) only policies
// that were active in this process are known.
func NewBook(active *Compiled, archive Archive) *Book {
	b := &Book{archive: archive}
	b.page.Store(newPage(active, nil))
	return b
}

func newPage(active *Compiled, loaded []Loaded) *page {
	p := &page{active: active, archived: new(atomic.Bool), loaded: slices.Clone(loaded)}
	if !slices.ContainsFunc(loaded, func(l Loaded) bool { return l.Version == active.Version }) {
		p.loaded = append(p.loaded, Loaded{Compiled: active, At: time.Now()})
	}
	p.rules = recovery.Rules{Active: active.Rules, Kept: make(map[string]*recovery.Policy, len(p.loaded))}
	for i := range p.loaded {
		p.loaded[i].Active = p.loaded[i].Version == active.Version
		p.rules.Kept[p.loaded[i].Version] = p.loaded[i].Rules
	}
	return p
}

// Active is the policy that new cases are judged by.
func (b *Book) Active() *Compiled { return b.page.Load().active }

// Swap makes another policy, which is in the archive, the active one. Open cases keep
// theirs.
func (b *Book) Swap(active *Compiled) {
	b.change.Lock()
	defer b.change.Unlock()
	next := newPage(active, b.page.Load().loaded)
	next.archived.Store(true)
	b.page.Store(next)
}

// Loaded lists the policies in memory, newest first.
func (b *Book) Loaded() []Loaded {
	list := slices.Clone(b.page.Load().loaded)
	slices.Reverse(list)
	return list
}

// Rules gives the active policy and those of the versions named, as one update
// needs them. The policy that the book began with is put into the archive before it is
// first used; see [Book.Archive] for an archive that loses what it was given. It fails with
// [ErrUnknownVersion], or as the archive does.
func (b *Book) Rules(ctx context.Context, versions ...string) (recovery.Rules, error) {
	p := b.page.Load()
	if b.archive != nil && !p.archived.Load() {
		if err := b.archive.KeepPolicy(ctx, p.active.Version, p.active.YAML); err != nil {
			return recovery.Rules{}, fmt.Errorf("keep policy %s: %w", p.active.Version, err)
		}
		p.archived.Store(true)
	}
	kept := true
	for _, version := range versions {
		if _, ok := p.rules.Kept[version]; !ok {
			kept = false
			if _, err := b.Policy(ctx, version); err != nil {
				return recovery.Rules{}, err
			}
		}
	}
	if kept {
		return p.rules, nil
	}
	return recovery.Rules{Active: p.active.Rules, Kept: b.page.Load().rules.Kept}, nil
}

// Archive puts all policies in memory into the archive again. Whoever notices
// that the archive may have lost them (a store that came back empty) calls it,
// and so does whoever wants to be sure from time to time.
func (b *Book) Archive(ctx context.Context) error {
	if b.archive == nil {
		return nil
	}
	for _, l := range b.page.Load().loaded {
		if err := b.archive.KeepPolicy(ctx, l.Version, l.YAML); err != nil {
			return fmt.Errorf("keep policy %s: %w", l.Version, err)
		}
	}
	return nil
}

// Policy gives the policy of a version, from memory or from the archive; the
// active one for an empty version. It fails with [ErrUnknownVersion], or as the
// archive does.
func (b *Book) Policy(ctx context.Context, version string) (*Compiled, error) {
	p := b.page.Load()
	if version == "" {
		return p.active, nil
	}
	if found := p.find(version); found != nil {
		return found, nil
	}
	if b.archive == nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknownVersion, version)
	}
	text, err := b.archive.Policy(ctx, version)
	if err != nil {
		return nil, fmt.Errorf("load policy %s: %w", version, err)
	}
	if text == nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknownVersion, version)
	}
	compiled, findings := parse(version, text, true)
	if err := findings.Err(); err != nil {
		return nil, fmt.Errorf("load policy %s: %w", version, err)
	}
	if compiled.Version != version {
		return nil, fmt.Errorf("load policy %s: the archive holds another text under this version, %s", version, compiled.Version)
	}
	return b.keep(compiled), nil
}

func (p *page) find(version string) *Compiled {
	for i := range p.loaded {
		if p.loaded[i].Version == version {
			return p.loaded[i].Compiled
		}
	}
	return nil
}

// keep adds a policy to those in memory; the one that is there already wins.
func (b *Book) keep(compiled *Compiled) *Compiled {
	b.change.Lock()
	defer b.change.Unlock()
	old := b.page.Load()
	if found := old.find(compiled.Version); found != nil {
		return found
	}
	next := newPage(old.active, append(slices.Clone(old.loaded), Loaded{Compiled: compiled, At: time.Now()}))
	next.archived = old.archived
	b.page.Store(next)
	return compiled
}
