package telemetry

import (
	"strings"
	"testing"
)

const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"

func TestTracesAreOptIn(t *testing.T) {
	for name, test := range map[string]struct {
		env  map[string]string
		want traceSettings
	}{
		"nothing set":     {nil, traceSettings{}},
		"an endpoint":     {map[string]string{endpoint: "http://c:4317"}, traceSettings{wanted: true}},
		"one for traces":  {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4317"}, traceSettings{wanted: true}},
		"one for metrics": {map[string]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c:4317"}, traceSettings{}},
		"disabled":        {map[string]string{endpoint: "http://c:4317", "OTEL_SDK_DISABLED": "True"}, traceSettings{}},
		"no exporter":     {map[string]string{endpoint: "http://c:4317", "OTEL_TRACES_EXPORTER": "none"}, traceSettings{}},
		"over HTTP":       {map[string]string{endpoint: "http://c:4318", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, traceSettings{true, true}},
		"but not traces": {map[string]string{endpoint: "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
			"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}, traceSettings{wanted: true}},
		"a ratio": {map[string]string{endpoint: "https://c", "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
			"OTEL_TRACES_SAMPLER_ARG": "0.1"}, traceSettings{wanted: true}},
		"a sampler that nobody asks": {map[string]string{"OTEL_TRACES_SAMPLER": "xray"}, traceSettings{}},
	} {
		got, err := readTraceSettings(func(name string) string { return test.env[name] })
		if got != test.want || err != nil {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, test.want)
		}
	}
}

// What is not supported is refused, all of it at once, and never repeats what
// may be a password.
func TestTraceSettingsThatAreRefused(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		want []string
	}{
		{map[string]string{"OTEL_TRACES_EXPORTER": "console"}, []string{`OTEL_TRACES_EXPORTER is "console"`}},
		{map[string]string{endpoint: "localhost:4317"}, []string{endpoint + " is no URL"}},
		{map[string]string{endpoint: "127.0.0.1:4317"}, []string{endpoint + " is no URL"}},
		{map[string]string{endpoint: "c:secret@host"}, []string{endpoint + " is no URL"}},
		{map[string]string{endpoint: "http://c", "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "NaN"}, []string{`OTEL_TRACES_SAMPLER_ARG is "NaN"`}},
		{map[string]string{endpoint: "http://c", "OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "1.5"}, []string{`OTEL_TRACES_SAMPLER_ARG is "1.5"`}},
		{map[string]string{endpoint: "ftp://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json", "OTEL_TRACES_SAMPLER": "xray", "OTEL_TRACES_EXPORTER": "zipkin"},
			[]string{`OTEL_TRACES_EXPORTER is "zipkin"`, endpoint + " is no URL", `OTEL_EXPORTER_OTLP_PROTOCOL is "http/json"`, `OTEL_TRACES_SAMPLER is "xray"`}},
	} {
		_, err := readTraceSettings(func(name string) string { return test.env[name] })
		if err == nil {
			t.Errorf("%v is taken", test.env)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v: %v; want %s", test.env, err, want)
			}
		}
		if len(test.want) != strings.Count(err.Error(), "\n")+1 || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: %v", test.env, err)
		}
	}
}
