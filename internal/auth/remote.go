package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// How often an issuer is asked for its keys, and how long that may take.
const (
	renewEvery = 5 * time.Minute  // so long a key is good that was withdrawn, by an issuer that answers
	retryEvery = 10 * time.Second // after a failure; and strangers cannot make us ask more often
	fetchTime  = 3 * time.Second
	// newKeyTime is how long a call waits for a key that is not known yet.
	newKeyTime = 2 * time.Second
)

// remote asks an issuer for its keys, by OpenID Connect discovery. It asks in the
// background alone, so that no call is held up by an issuer that does not answer.
// As long as it does not, its keys stay: an outage of the issuer is none here.
type remote struct {
	issuer string
	client *http.Client
	asked  chan struct{} // holds one while somebody wants newer keys

	mu   sync.Mutex
	last time.Time     // when the issuer was asked last
	done chan struct{} // closed when it has been asked the next time
}

func newRemote(issuer string) *remote {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true // minutes pass in between
	return &remote{
		issuer: issuer,
		client: &http.Client{
			Transport: transport, Timeout: fetchTime,
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return errors.New("it sends us to another address, which an issuer has no reason to")
			},
		},
		asked: make(chan struct{}, 1),
		done:  make(chan struct{}),
	}
}

// run asks again and again until the context ends.
func (r *remote) run(ctx context.Context, adopt func([]byte, error)) {
	for {
		text, err := r.fetch(ctx)
		if ctx.Err() != nil {
			return
		}
		adopt(text, err)
		r.told()
		every := renewEvery
		if err != nil {
			every = retryEvery
		}
		if !r.pause(ctx, every) {
			return
		}
	}
}

// told wakes up whoever waits for newer keys.
func (r *remote) told() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.asked: // meanwhile, and was answered with the others
	default:
	}
	r.last = time.Now()
	close(r.done)
	r.done = make(chan struct{})
}

// pause waits for the next time; false when the context has ended.
func (r *remote) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-r.asked:
	}
	return true
}

// again asks for newer keys and waits for them a little; false when the issuer was
// asked only just now, or is not done in time.
func (r *remote) again(ctx context.Context) bool {
	last, done := r.state()
	if !last.IsZero() && time.Since(last) < retryEvery {
		return false
	}
	select {
	case r.asked <- struct{}{}:
	default: // somebody has asked
	}
	ctx, cancel := context.WithTimeout(ctx, newKeyTime)
	defer cancel()
	return wait(ctx, done)
}

// first waits until the issuer was asked the first time.
func (r *remote) first(ctx context.Context) {
	if last, done := r.state(); last.IsZero() {
		wait(ctx, done)
	}
}

// state is when the issuer was asked last, and what is closed when it was asked
// the next time.
func (r *remote) state() (last time.Time, done <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last, r.done
}

func wait(ctx context.Context, done <-chan struct{}) bool {
	select {
	case <-ctx.Done():
		return false
	case <-done:
		return true
	}
}

// fetch gives the keys as the issuer publishes them. What it says of itself must
// be what the access file calls it (OpenID Connect Discovery 1.0, 4.3).
func (r *remote) fetch(ctx context.Context) ([]byte, error) {
	text, err := r.get(ctx, strings.TrimSuffix(r.issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return nil, err
	}
	var about struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	switch {
	case json.Unmarshal(text, &about) != nil:
		return nil, errors.New("what the issuer says of itself is not JSON")
	case about.Issuer != r.issuer:
		return nil, errors.New("the issuer calls itself by another name than the access file; they must be the same, letter by letter")
	case !safeURL(about.Keys):
		return nil, errors.New("the issuer names no https:// address of its keys")
	}
	return r.get(ctx, about.Keys)
}

func (r *remote) get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, mostKeyBytes+1))
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", url, err)
	}
	return text, nil
}
