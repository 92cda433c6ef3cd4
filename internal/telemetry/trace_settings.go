package telemetry

import (
	"cmp"
	"errors"
	"fmt"
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
	s.wanted = cmp.Or(getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"), getenv("OTEL_EXPORTER_OTLP_ENDPOINT")) != ""
	if s.wanted {
		s.http, err = readOTLP(getenv, "TRACES")
		faults = append(faults, err,
			checkSampler(strings.ToLower(strings.TrimSpace(getenv("OTEL_TRACES_SAMPLER"))), strings.TrimSpace(getenv("OTEL_TRACES_SAMPLER_ARG"))),
		)
	}
	return s, errors.Join(faults...)
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
