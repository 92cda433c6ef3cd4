package telemetry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	prometheusbridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// metricSettings is what the standard variables say of metrics and the libraries
// do not read by themselves.
type metricSettings struct {
	wanted bool // over OTLP, beside /metrics
	http   bool // OTLP over HTTP in place of gRPC
}

// readMetricSettings refuses what cannot be done. Who names a collector for
// everything often means one for traces, which takes no metrics; so these have to
// be asked for by their own variables.
func readMetricSettings(getenv func(string) string) (s metricSettings, err error) {
	var exporters []string
	if list := getenv("OTEL_METRICS_EXPORTER"); list != "" {
		exporters = strings.Split(list, ",")
	}
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") || slices.Contains(exporters, "none") {
		return s, nil
	}
	var faults []error
	for _, name := range exporters {
		if name != "otlp" && name != "prometheus" {
			faults = append(faults, fmt.Errorf("OTEL_METRICS_EXPORTER is %q, but metrics are always there for prometheus and may be sent by otlp (or none)", name))
		}
	}
	endpoint := getenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
	s.wanted = slices.Contains(exporters, "otlp") || len(exporters) == 0 && endpoint != ""
	if s.wanted {
		s.http, err = readOTLP(getenv, "METRICS")
		faults = append(faults, err)
	}
	return s, errors.Join(faults...)
}

// metricsReader sends what /metrics shows over OTLP, every minute unless
// OTEL_METRIC_EXPORT_INTERVAL says otherwise; nil when nobody wants it. It dials
// nothing yet, so a collector that is down delays nothing.
func (t *Telemetry) metricsReader(ctx context.Context, getenv func(string) string) (sdkmetric.Reader, error) {
	settings, err := readMetricSettings(getenv)
	if err != nil || !settings.wanted {
		return nil, err
	}
	exporter, err := settings.exporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("prepare metrics: %w", err)
	}
	own := prometheusbridge.NewMetricProducer(prometheusbridge.WithGatherer(t.own))
	return sdkmetric.NewPeriodicReader(exporter, sdkmetric.WithProducer(own)), nil
}

func (s metricSettings) exporter(ctx context.Context) (sdkmetric.Exporter, error) {
	if s.http {
		return otlpmetrichttp.New(ctx)
	}
	return otlpmetricgrpc.New(ctx)
}
