package telemetry

import (
	"strings"
	"testing"
)

func TestMetricsOverOTLPAreAskedFor(t *testing.T) {
	const (
		all     = "OTEL_EXPORTER_OTLP_ENDPOINT"
		own     = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
		kind    = "OTEL_METRICS_EXPORTER"
		address = "http://127.0.0.1:4317"
	)
	for name, test := range map[string]struct {
		env  map[string]string
		want metricSettings
		err  string
	}{
		"nothing set":                  {},
		"a collector for everything":   {env: map[string]string{all: address}},
		"one for metrics":              {env: map[string]string{own: address}, want: metricSettings{wanted: true}},
		"one for all, and metrics too": {env: map[string]string{all: address, kind: "otlp"}, want: metricSettings{wanted: true}},
		"both ways":                    {env: map[string]string{kind: "prometheus,otlp"}, want: metricSettings{wanted: true}},
		"prometheus alone":             {env: map[string]string{own: address, kind: "prometheus"}},
		"none":                         {env: map[string]string{own: address, kind: "none"}},
		"disabled":                     {env: map[string]string{own: address, "OTEL_SDK_DISABLED": "TRUE"}},
		"over HTTP":                    {env: map[string]string{own: address, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, want: metricSettings{wanted: true, http: true}},
		"no such exporter":             {env: map[string]string{kind: "statsd"}, err: `OTEL_METRICS_EXPORTER is "statsd"`},
		"no such protocol":             {env: map[string]string{own: address, "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "udp"}, err: `is "udp"`},
		"no URL":                       {env: map[string]string{own: "collector"}, err: own + " is no URL"},
	} {
		got, err := readMetricSettings(func(name string) string { return test.env[name] })
		switch {
		case test.err != "":
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s: %v, want %s", name, err, test.err)
			}
		case err != nil || got != test.want:
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, test.want)
		}
	}
}
