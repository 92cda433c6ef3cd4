package telemetry

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// traceSettings is what the standard variables say of traces and the libraries
// do not read by themselves.
type traceSettings struct {
	wanted bool
	http   bool // OTLP over HTTP in place of gRPC
}

// readTraceSettings refuses what cannot be done, since the libraries would do
// something else instead and say nothing. Nothing is refused where no traces are
// made.
func readTraceSettings(getenv func(string) string) (s traceSettings, err error) {
	exporter := getenv("OTEL_TRACES_EXPORTER")
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") || exporter == "none" {
		return s, nil
	}
	var faults []error
	if exporter != "" && exporter != "otlp" {
		faults = append(faults, fmt.Errorf("OTEL_TRACES_EXPORTER is %q, but traces are sent by otlp (or by none)", exporter))
	}
	endpoint := getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	s.wanted = cmp.Or(endpoint, getenv("OTEL_EXPORTER_OTLP_ENDPOINT")) != ""
	if s.wanted {
		faults = append(faults,
			checkEndpoint("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint),
			checkEndpoint("OTEL_EXPORTER_OTLP_ENDPOINT", getenv("OTEL_EXPORTER_OTLP_ENDPOINT")),
			s.choose(cmp.Or(getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), getenv("OTEL_EXPORTER_OTLP_PROTOCOL"))),
			checkSampler(strings.ToLower(strings.TrimSpace(getenv("OTEL_TRACES_SAMPLER"))), strings.TrimSpace(getenv("OTEL_TRACES_SAMPLER_ARG"))),
		)
	}
	return s, errors.Join(faults...)
}

// choose takes the protocol; gRPC unless another one is named.
func (s *traceSettings) choose(protocol string) error {
	switch protocol {
	case "", "grpc":
		return nil
	case "http/protobuf":
		s.http = true
		return nil
	default:
		return fmt.Errorf("the protocol OTEL_EXPORTER_OTLP_PROTOCOL is %q, but traces are sent by grpc or http/protobuf", protocol)
	}
}

// checkEndpoint refuses what is no URL: the libraries would send to localhost
// instead. The value may hold a password, so it is not repeated.
func checkEndpoint(name, value string) error {
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" && u.Scheme != "unix" || !slices.Contains([]string{"http", "https", "unix"}, u.Scheme) {
		return fmt.Errorf("%s is no URL: write http://HOST:PORT, such as http://127.0.0.1:4317, or https://HOST:PORT", name)
	}
	return nil
}

// checkSampler refuses a sampler that there is not: all would be sampled instead.
func checkSampler(name, arg string) error {
	known := []string{"always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"}
	switch {
	case name == "":
		return nil
	case !slices.Contains(known, name):
		return fmt.Errorf("OTEL_TRACES_SAMPLER is %q, but must be one of %s", name, strings.Join(known, ", "))
	case !strings.HasSuffix(name, "traceidratio") || arg == "":
		return nil
	}
	if ratio, err := strconv.ParseFloat(arg, 64); err != nil || !(ratio >= 0 && ratio <= 1) {
		return fmt.Errorf("OTEL_TRACES_SAMPLER_ARG is %q, but must be the share of calls to be traced, 0 to 1", arg)
	}
	return nil
}
