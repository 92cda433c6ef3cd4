package client

import (
	"context"
	_ "embed"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

//go:embed service_config.json
var published string

// ServiceConfig is how calls are spread, bounded and repeated: a gRPC service
// config in JSON, for clients in any language.
func ServiceConfig() string { return published }

// serviceConfig is as much of it as is looked into here.
type serviceConfig struct {
	Balancing  json.RawMessage `json:"loadBalancingConfig"`
	Health     json.RawMessage `json:"healthCheckConfig"`
	Throttling *budget         `json:"retryThrottling"`
	Methods    []struct {
		Name []struct {
			Service string `json:"service"`
			Method  string `json:"method,omitempty"`
		} `json:"name"`
		WaitForReady bool            `json:"waitForReady"`
		Timeout      string          `json:"timeout,omitempty"`
		Retry        json.RawMessage `json:"retryPolicy,omitempty"`
	} `json:"methodConfig"`
}

// times are how long a call of each method may take, by /service/method, or by
// /service/ for those that are not named.
type times map[string]time.Duration

// settings are the service config, with the timeout of the caller in place of
// its own, and what of it counts for calls here.
func (c Config) settings(f *faults) (string, *calls) {
	if c.Timeout < 0 {
		f.add("Timeout", "must not be negative")
	}
	if c.Patience < 0 {
		f.add("Patience", "must not be negative")
	}
	s := &serviceConfig{}
	must(json.Unmarshal([]byte(published), s))
	t := times{}
	for i := range s.Methods {
		m := &s.Methods[i]
		if c.Timeout > 0 && m.Timeout != "" {
			m.Timeout = strconv.FormatFloat(c.Timeout.Seconds(), 'f', -1, 64) + "s"
		}
		limit, _ := time.ParseDuration(m.Timeout) // none: 0
		for _, n := range m.Name {
			t["/"+n.Service+"/"+n.Method] = limit
		}
	}
	out, err := json.Marshal(s)
	must(err)
	closed, end := context.WithCancel(context.Background())
	return string(out), &calls{t, s.Throttling, closed, end}
}

// must ends the process for what no caller can bring about.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// of is the time of a method; 0: as long as it likes.
func (t times) of(method string) time.Duration {
	if limit, ok := t[method]; ok {
		return limit
	}
	return t[method[:strings.LastIndexByte(method, '/')+1]]
}

// limit bounds a call with all its repetitions. gRPC counts the time anew for
// each repetition that it has not made itself.
func (t times) limit(ctx context.Context, method string) (context.Context, context.CancelFunc) {
	if limit := t.of(method); limit > 0 {
		return context.WithTimeout(ctx, limit)
	}
	return ctx, func() {}
}
