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
// trace. Errors: ErrNotFound, ErrOther, and those of the network.
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
	body, err := io.ReadAll(io.LimitReader(answer.Body, mostBytes))
	if err != nil {
		return Trace{}, err
	}
	traces, err := Read(body)
	if err == nil && len(traces) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Trace{}, err
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
		return nil, fmt.Errorf("jaeger answers: %s", a.Errors[0].Msg)
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
