package jaeger_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
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
	if _, err := jaeger.Read([]byte(`{"data":null,"errors":[{"code":500,"msg":"out of order"}]}`)); err == nil || !strings.Contains(err.Error(), "out of order") {
		t.Errorf("what Jaeger says is lost: %v", err)
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
