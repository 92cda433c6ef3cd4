package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// Token gives the bearer token for a call: the identity of the caller. It is
// asked for every call and so should be quick, and may be called by many at
// once.
type Token func(context.Context) (string, error)

// checkToken finds at the start what would fail every call.
func (c Config) checkToken(f *faults) {
	if c.TokenFile == "" {
		return
	}
	if c.Token != nil {
		f.add("TokenFile", "says who calls, and so does Token: leave one out")
	}
	if _, err := readToken(c.TokenFile); err != nil {
		f.add("TokenFile", "%v", err)
	}
}

// token is what sends the token with every call; nil if there is none.
func (c Config) token() credentials.PerRPCCredentials {
	switch {
	case c.Token != nil:
		return bearer{c.Token}
	case c.TokenFile != "":
		return bearer{(&tokenFile{path: c.TokenFile}).token}
	default:
		return nil
	}
}

// bearer sends a token with every call, over TLS only.
type bearer struct{ token Token }

// GetRequestMetadata gives the header of one call.
func (b bearer) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	token, err := b.token(ctx)
	if err != nil {
		return nil, status.Error(codes.Unauthenticated, "no token to call with: "+err.Error())
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

// RequireTransportSecurity keeps tokens off plaintext connections.
func (bearer) RequireTransportSecurity() bool { return true }

// tokenAge is how long a token counts before its file is read again.
const tokenAge = 5 * time.Second

// tokenFile remembers what its file held.
type tokenFile struct {
	path string

	mu   sync.Mutex
	text string
	read time.Time
}

func (t *tokenFile) token(context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.read) < tokenAge {
		return t.text, nil
	}
	text, err := readToken(t.path)
	if err != nil {
		return "", err
	}
	t.text, t.read = text, time.Now()
	return text, nil
}

func readToken(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	text = bytes.TrimSpace(text)
	switch {
	case len(text) == 0:
		return "", fmt.Errorf("%s is empty; write the token into it", path)
	case bytes.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", errors.New(path + " holds more than one token on one line")
	}
	return string(text), nil
}
