package jaeger_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/jaeger"
)

// What a real Jaeger tells is read by internal/serve, and what it looks like
// stands in internal/show; here is what is no trace.
func TestAnswersThatAreNoTrace(t *testing.T) {
	for body, want := range map[string]error{
		`{"data":null,"total":0,"limit":0,"offset":0,"errors":[{"code":404,"msg":"trace not found"}]}`: jaeger.ErrNotFound,
		`{"data":[],"errors":null}`: jaeger.ErrNotFound,
		`{"data":null}`:             jaeger.ErrOther,
		`{"status":"UP"}`:           jaeger.ErrOther,
		`{"data":[{"spans":[]}]}`:   jaeger.ErrOther,
		`{"data":[7]}`:              jaeger.ErrOther,
		`<html>`:                    jaeger.ErrOther,
		``:                          jaeger.ErrOther,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		if _, err := jaeger.Fetch(t.Context(), server.URL, "1"); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", body, err, want)
		}
		server.Close()
	}
}

// What a Jaeger that refuses says is kept, but for what would steer a terminal.
func TestRefusals(t *testing.T) {
	for name, row := range map[string]struct {
		status int
		body   string
		want   jaeger.Refusal
	}{
		"out of order":        {500, `{"data":null,"errors":[{"code":500,"msg":"out of\u001b[31m order"}]}`, jaeger.Refusal{Code: 500, Says: "out of·[31m order"}},
		"unknown, as JSON":    {401, `{"data":null,"errors":[{"code":401,"msg":"who are you?"}]}`, jaeger.Refusal{Code: 401, Says: "who are you?"}},
		"unknown, by a proxy": {401, `<html>`, jaeger.Refusal{Code: 401, Says: "401 Unauthorized"}},
		"forbidden":           {403, `{"message":"no"}`, jaeger.Refusal{Code: 403, Says: "403 Forbidden"}},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(row.status)
			_, _ = w.Write([]byte(row.body))
		}))
		var got *jaeger.Refusal
		if _, err := jaeger.Fetch(t.Context(), server.URL, "1"); !errors.As(err, &got) || *got != row.want {
			t.Errorf("%s: %v, want %v", name, err, &row.want)
		}
		server.Close()
	}
}

// An answer that is cut off would be taken for that of something else.
func TestAnswerWithoutAnEnd(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, err := w.Write([]byte(`{"data":[`)); err == nil; {
			_, err = w.Write(bytes.Repeat([]byte(" "), 1<<20))
		}
	}))
	defer server.Close()
	if _, err := jaeger.Fetch(t.Context(), server.URL, "1"); !errors.Is(err, jaeger.ErrLarge) {
		t.Errorf("%v, want %v", err, jaeger.ErrLarge)
	}
}

// One that hangs is given up.
func TestFetchGivesUp(t *testing.T) {
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-done }))
	defer server.Close()
	defer close(done)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := jaeger.Fetch(ctx, server.URL, "1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want that time is up", err)
	}
}
