package telemetry

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// readOTLP reads how TRACES or METRICS are sent: over HTTP, or over gRPC unless
// that is asked for. What the signal's own variables say wins. The error names
// everything that cannot be done.
func readOTLP(getenv func(string) string, signal string) (http bool, err error) {
	const endpoint, protocol = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL"
	own := "OTEL_EXPORTER_OTLP_" + signal
	faults := []error{checkEndpoint(own+"_ENDPOINT", getenv(own+"_ENDPOINT")), checkEndpoint(endpoint, getenv(endpoint))}
	switch by := cmp.Or(getenv(own+"_PROTOCOL"), getenv(protocol), "grpc"); by {
	case "grpc":
	case "http/protobuf":
		http = true
	default:
		faults = append(faults, fmt.Errorf("the protocol %s is %q, but %s are sent by grpc or http/protobuf", protocol, by, strings.ToLower(signal)))
	}
	return http, errors.Join(faults...)
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
