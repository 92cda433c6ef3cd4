package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
)

// callMetrics are about calls and how they end.
type callMetrics struct {
	ended    *prometheus.CounterVec
	underWay *prometheus.GaugeVec
}

func newCallMetrics(f promauto.Factory) callMetrics {
	return callMetrics{
		ended: f.NewCounterVec(prometheus.CounterOpts{
			Name: "amends_calls_total", Help: "Calls and streams that have ended, by method, gRPC code and the reason of the error (ErrorReason); OK has none, nor what health checks and reflection say themselves.",
		}, []string{"method", "code", "reason"}),
		underWay: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "amends_calls_in_flight", Help: "Calls and streams that are under way.",
		}, []string{"method"}),
	}
}

// Method counts the calls of one method.
type Method struct {
	// Name is that of the contract, such as recovery.v1.RecoveryService/GetCase.
	Name string

	ended    *prometheus.CounterVec // without the method
	ok       prometheus.Counter
	underWay prometheus.Gauge
}

// Method prepares to count the calls of a method.
func (m *Metrics) Method(name string) *Method {
	c := &Method{
		Name:     name,
		ended:    m.calls.ended.MustCurryWith(prometheus.Labels{"method": name}),
		underWay: m.calls.underWay.WithLabelValues(name),
	}
	c.ok = c.ended.WithLabelValues(codeName(codes.OK), "")
	c.ended.WithLabelValues(codeName(codes.Internal), codeName(codes.Internal)) // so that there is a 0 to compare with
	return c
}

// Begun counts a call that has begun.
func (c *Method) Begun() { c.underWay.Inc() }

// Ended counts a call that has ended; the reason is empty when it is OK.
func (c *Method) Ended(code codes.Code, reason string) {
	c.underWay.Dec()
	if code == codes.OK {
		c.ok.Inc()
		return
	}
	c.ended.WithLabelValues(codeName(code), reason).Inc()
}

// codeName is the name of a code in the specification of gRPC, such as DATA_LOSS.
func codeName(c codes.Code) string { return code.Code(c).String() }
