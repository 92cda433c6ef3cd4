package auth

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// mostTokens is how many tokens are remembered as verified. Some 300 bytes each.
const mostTokens = 4096

// mostExamined is how many tokens are examined at a time that were not seen before;
// some wait for the keys of their issuer. One connection has half as many calls.
const mostExamined = 512

// firstKeys is how long a start waits for issuers that do not answer.
const firstKeys = 3 * time.Second

// Guard decides which calls may come in. It may be used by many goroutines.
type Guard struct {
	open    bool                  // nobody is asked who it is
	told    func(string, error)   // of keys
	inForce func(bool)            // are the keys of all issuers
	judging sync.Mutex            // what inForce hears
	state   atomic.Pointer[state] // nil where nobody is asked

	follow context.Context // ends when the keys need not be fresh any more
	stop   context.CancelFunc
	loops  sync.WaitGroup
	adopts sync.Mutex

	examined atomic.Int64 // tokens, just now
}

// state is what one access file makes of callers. It never changes, but for what
// is counted and for the keys.
type state struct {
	access   *Access
	sources  map[string]*source  // by issuer
	accounts map[string]*account // by the name of the caller
	tokens   *lru.Cache[[sha256.Size]byte, *verified]
	examined *atomic.Int64 // of the guard
}

// Open is a guard that lets everybody do everything.
func Open() *Guard { return &Guard{open: true} }

// NewGuard is a guard that goes by an access file. It waits a few seconds for the
// keys of issuers, and no longer: tokens of an issuer without keys are refused
// until it has answered. Told hears which issuer has other keys, and why keys were
// not taken over; then those that there are go on. InForce hears before that, and
// after each Adopt, whether those of all issuers are as they stand. The guard must be
// closed.
func NewGuard(ctx context.Context, a *Access, told func(issuer string, err error), inForce func(all bool)) *Guard {
	g := &Guard{told: told, inForce: inForce}
	g.follow, g.stop = context.WithCancel(context.Background())
	g.Adopt(a)
	ctx, cancel := context.WithTimeout(ctx, firstKeys)
	defer cancel()
	for _, s := range g.state.Load().sources {
		s.first(ctx)
	}
	return g
}

// Close ends the following of keys.
func (g *Guard) Close() {
	if !g.open {
		g.stop()
		g.loops.Wait()
	}
}

// Adopt goes by another access file from now on. Keys, and what callers have used
// up of their limits, stay. The passes of callers of whom it says something
// else than before are void, and of those who may be others by now.
func (g *Guard) Adopt(a *Access) {
	g.adopts.Lock()
	defer g.adopts.Unlock()
	was := g.state.Load()
	if was == nil {
		was = &state{access: &Access{}}
	}
	next := &state{access: a, sources: map[string]*source{}, accounts: map[string]*account{}, examined: &g.examined}
	next.tokens, _ = lru.New[[sha256.Size]byte, *verified](mostTokens) // fails for a size below 1 alone
	for name, i := range a.issuers {
		next.sources[name] = g.source(was.sources[name], i)
	}
	same := was.access.same(a)
	for _, e := range a.Entries {
		next.accounts[e.Name] = was.accounts[e.Name].renewed(e.Limits, same[e.Name])
	}
	g.state.Store(next)
	for name, s := range was.sources {
		if next.sources[name] != s {
			s.stop()
		}
	}
	for name, account := range was.accounts {
		if next.accounts[name] != account {
			account.void()
		}
	}
	g.judge()
}

// keysChanged tells how it stands with the keys of all issuers, and of those of one.
func (g *Guard) keysChanged(issuer string, err error) {
	g.judge()
	g.told(issuer, err)
}

// judge says whether the keys of all issuers of the file in force are as they stand.
func (g *Guard) judge() {
	g.judging.Lock()
	defer g.judging.Unlock()
	s := g.state.Load()
	if s == nil {
		return // the first file is about to be adopted
	}
	all := true
	for _, source := range s.sources {
		all = all && source.trouble.Load() == nil
	}
	g.inForce(all)
}

// source goes on with the one that there is, or begins to follow another.
func (g *Guard) source(was *source, i *issuer) *source {
	if was != nil && was.serves(i) {
		return was
	}
	s := newSource(i, g.keysChanged)
	ctx, stop := context.WithCancel(g.follow)
	s.stop = stop
	g.loops.Go(func() { s.follow(ctx) })
	return s
}

// Credentials are what came with a call.
type Credentials struct {
	// Certificate is that of the client, verified; nil: none.
	Certificate *x509.Certificate
	// Authorization are the values of the metadata of that name, as they came.
	Authorization []string
}

// Pass is a call that was let in. Leave it when the call has ended.
type Pass struct {
	account *account // nil: nothing is counted
	proof
}

// proof is how long what a caller has shown is valid.
type proof struct {
	until time.Time
	// signed ends when the key that signed the token is withdrawn; never, for a
	// certificate.
	signed context.Context
}

// Admit lets a call of a method in or says why not, and notes the caller in the
// context. A token says who the caller is, even where a certificate comes with it;
// one that is not valid is refused and never passed over.
func (g *Guard) Admit(ctx context.Context, method string, c Credentials) (*Pass, error) {
	m := methods[method]
	switch {
	case g.open:
		note(ctx, everybody)
		return &Pass{}, nil
	case m.Open:
		return &Pass{}, nil
	}
	now := time.Now()
	s := g.state.Load()
	caller, shown, err := s.identify(c, now, func(token string) (*verified, error) { return s.verify(ctx, token, now) })
	if err != nil {
		return nil, err
	}
	note(ctx, caller)
	account := s.accounts[caller.Name]
	if err := account.enter(now); err != nil {
		return nil, err
	}
	if !m.Allows(caller.Roles) {
		account.leave()
		return nil, ErrRole
	}
	return &Pass{account, shown}, nil
}

// Known reports whether it can be told at once who makes a call: nobody is asked,
// the certificate is a caller's, or the token was verified before. Who is not
// known may be let in all the same.
func (g *Guard) Known(c Credentials) bool {
	if g.open {
		return true
	}
	s, now := g.state.Load(), time.Now()
	_, _, err := s.identify(c, now, func(token string) (*verified, error) {
		if v := s.remembered(sha256.Sum256([]byte(token)), now); v != nil {
			return v, nil
		}
		return nil, ErrToken
	})
	return err == nil
}

// identify finds the caller, and how long all that it has shown is valid; verify
// tells whose a token is.
func (s *state) identify(c Credentials, now time.Time, verify func(token string) (*verified, error)) (*Caller, proof, error) {
	token, err := tokenIn(c.Authorization)
	switch {
	case err != nil:
		return nil, proof{}, err
	case c.Certificate != nil && now.After(c.Certificate.NotAfter): // since the connection began
		return nil, proof{}, refuse(ErrExpired, "the certificate has expired")
	case token != "":
		v, err := verify(token)
		if err != nil {
			return nil, proof{}, err
		}
		until := v.until
		if c.Certificate != nil && c.Certificate.NotAfter.Before(until) {
			until = c.Certificate.NotAfter
		}
		return v.caller, proof{until, v.key.valid}, nil
	case c.Certificate == nil:
		return nil, proof{}, ErrNoCredential
	}
	e, err := s.access.identify(c.Certificate)
	if err != nil {
		return nil, proof{}, err
	}
	return &e.Caller, proof{c.Certificate.NotAfter, context.Background()}, nil
}

// Leave says that the call has ended.
func (a *Pass) Leave() {
	if a.account != nil {
		a.account.leave()
	}
}

// Wait lets one item of a stream wait for its turn, as if it were a call.
func (a *Pass) Wait(ctx context.Context) error {
	if a.account == nil {
		return nil
	}
	return a.account.rate.Wait(ctx)
}

// WhenVoid calls end when the pass is void, since the certificate or the
// token has expired, the issuer has withdrawn the key that signed the token, or the
// access file says something else; stop must be called when the call has ended.
func (a *Pass) WhenVoid(end func()) (stop func()) {
	if a.account == nil {
		return func() {}
	}
	ctx, cancel := context.WithDeadline(a.account.valid, a.until)
	stopEnd := context.AfterFunc(ctx, end)
	stopKey := context.AfterFunc(a.signed, cancel)
	return func() {
		stopEnd()
		stopKey()
		cancel()
	}
}
