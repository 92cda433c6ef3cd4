// Package jaeger reads traces from the JSON API of Jaeger.
package jaeger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// What can go wrong beside an address at which nobody answers.
var (
	// ErrNotFound: Jaeger knows no such trace.
	ErrNotFound = errors.New("jaeger knows no such trace")
	// ErrOther: what answers is no Jaeger, or one whose answers are not understood.
	ErrOther = errors.New("what answers is no Jaeger")
)

// mostBytes of one answer are read: far more than a trace of one call has.
const mostBytes = 64 << 20

// Fetch asks the Jaeger at an address, such as http://127.0.0.1:16686, for one
// trace, and gives it as JSON, too. Errors: ErrNotFound, ErrOther, and those of
// the network.
func Fetch(ctx context.Context, address, id string) (Trace, json.RawMessage, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(address, "/")+"/api/traces/"+url.PathEscape(id), nil)
	if err != nil {
		return Trace{}, nil, err
	}
	// One answer is all that is wanted, so no connection is kept.
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return Trace{}, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, mostBytes))
	if err != nil {
		return Trace{}, nil, err
	}
	return Read(body)
}

// Read takes the first trace out of an answer of the API.
func Read(body []byte) (Trace, json.RawMessage, error) {
	var a struct {
		Data   []json.RawMessage
		Errors []struct {
			Code int
			Msg  string
		}
	}
	if err := json.Unmarshal(body, &a); err != nil {
		return Trace{}, nil, ErrOther
	}
	switch {
	case len(a.Data) > 0:
		t, err := read(a.Data[0])
		return t, a.Data[0], err
	case len(a.Errors) == 0:
		return Trace{}, nil, ErrOther
	case a.Errors[0].Code == http.StatusNotFound:
		return Trace{}, nil, ErrNotFound
	default:
		return Trace{}, nil, fmt.Errorf("jaeger answers: %s", a.Errors[0].Msg)
	}
}
