// Package jaeger reads traces from the JSON API of Jaeger.
package jaeger

import (
	"context"
	"encoding/json"
	"errors"
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
	// ErrLarge: the answer has more than 64 MiB.
	ErrLarge = errors.New("jaeger answers with more than 64 MiB")
)

// Refusal is what Jaeger, or what stands before it, says in place of a trace.
type Refusal struct {
	Code int // of HTTP
	Says string
}

func (r *Refusal) Error() string { return "jaeger refuses: " + r.Says }

// Denied reports whether whoever asked may not, or is not known.
func (r *Refusal) Denied() bool {
	return r.Code == http.StatusUnauthorized || r.Code == http.StatusForbidden
}

// mostBytes of one answer are read: far more than a trace of one call has.
const mostBytes = 64 << 20

// Fetch asks the Jaeger at an address, such as http://127.0.0.1:16686, for one
// trace. Errors: ErrNotFound, ErrOther, ErrLarge, a Refusal, and those of the
// network.
func Fetch(ctx context.Context, address, id string) (Trace, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(address, "/")+"/api/traces/"+url.PathEscape(id), nil)
	if err != nil {
		return Trace{}, err
	}
	// One answer is all that is wanted, so no connection is kept.
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return Trace{}, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, mostBytes+1))
	if err != nil {
		return Trace{}, err
	}
	if len(body) > mostBytes {
		return Trace{}, ErrLarge
	}
	traces, err := Read(body)
	switch refusal := (&Refusal{answer.StatusCode, clean(answer.Status)}); {
	case errors.Is(err, ErrOther) && refusal.Denied(): // by a proxy, which speaks in its own way
		return Trace{}, refusal
	case err != nil:
		return Trace{}, err
	case len(traces) == 0:
		return Trace{}, ErrNotFound
	}
	return traces[0], nil
}

// Read takes the traces out of an answer of the API.
func Read(body []byte) ([]Trace, error) {
	var a struct {
		Data   *[]json.RawMessage
		Errors []struct {
			Code int
			Msg  string
		}
	}
	err := json.Unmarshal(body, &a)
	switch {
	case err != nil:
		return nil, ErrOther
	case len(a.Errors) > 0 && a.Errors[0].Code == http.StatusNotFound:
		return nil, ErrNotFound
	case len(a.Errors) > 0:
		return nil, &Refusal{a.Errors[0].Code, clean(a.Errors[0].Msg)}
	case a.Data == nil:
		return nil, ErrOther
	}
	traces := make([]Trace, len(*a.Data))
	for i, one := range *a.Data {
		if traces[i], err = read(one); err != nil {
			return nil, err
		}
	}
	return traces, nil
}
