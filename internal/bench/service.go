package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// tracedCalls is the share of calls whose traces are made and sent, as is usual
// for a service with many calls.
const tracedCalls = "0.01"

// service is a server of this program as it is run in production: it logs, counts
// and traces.
type service struct {
	*target
	ops string // address of the operators' port
}

// startService runs a server on a store and waits until it serves.
func (r *Run) startService(ctx context.Context, redis string, more ...string) (*service, error) {
	s := &service{}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	if s.ops, err = freeAddr(); err != nil {
		return nil, err
	}
	args := []string{"serve", "--listen", addr, "--ops-listen", s.ops, "--redis", redis, "--key-file", r.keyFile, "--log-level", "info"}
	server, err := startChild(r.dir, "service", r.Program, r.traced(), append(args, more...)...)
	if err != nil {
		return nil, err
	}
	if s.target, err = dial(ctx, server, addr, recoveryv1.RecoveryService_ReportFailure_FullMethodName); err != nil {
		server.stop()
		return nil, err
	}
	return s, nil
}

// traced is the environment of a server whose traces are taken.
func (r *Run) traced() []string {
	return []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + r.collector, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
		"OTEL_TRACES_SAMPLER=parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG=" + tracedCalls,
	}
}

// counted reads one of the metrics, the sum of all its series or of those with a
// label of that value.
func (s *service) counted(ctx context.Context, name string, label ...string) (float64, error) {
	body, err := s.ask(ctx, "/metrics", 5*time.Second)
	if err != nil {
		return 0, err
	}
	defer body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(io.LimitReader(body, 16<<20))
	if err != nil {
		return 0, fmt.Errorf("metrics of the service: %w", err)
	}
	var sum float64
	for _, m := range families[name].GetMetric() {
		if len(label) == 0 || labelled(m, label[0], label[1]) {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()
		}
	}
	return sum, nil
}

func labelled(m *dto.Metric, name, value string) bool {
	return slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName() == name && l.GetValue() == value })
}

// ask reads something of the operators' port.
func (s *service) ask(ctx context.Context, path string, limit time.Duration) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.ops+path, nil)
	if err != nil {
		return nil, err
	}
	answer, err := (&http.Client{Timeout: limit}).Do(request)
	if err != nil {
		return nil, fmt.Errorf("the operators' port of the service: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		return nil, fmt.Errorf("the operators' port of the service: %s is %s", path, answer.Status)
	}
	return answer.Body, nil
}
