package serve

import (
	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/telemetry"
)

// measure has the parts of the server tell of themselves whenever somebody asks.
func (s *Server) measure() {
	m := s.telemetry.Metrics
	m.Prepare(words)
	m.Holds("amends_ready", "1 while the server can be sent calls, 0 while the store cannot be used or the server is ending.", s.isReady)
	m.Holds("amends_store_durable", "1 if every Redis that answered when last looked at, within 30 seconds, has an append-only file that is written to the disk, evicts nothing and has the replicas that a change must reach; else 0, as for the embedded store.",
		s.ledger.Durable)
	m.Share("amends_store_memory_used_ratio", "How much of its maxmemory the fullest Redis had taken when last looked at, within 30 seconds; 0 to 1, one without a limit counts as 0.",
		s.ledger.Fullest)
	m.Count("amends_policy_condition_errors_total",
		"Conditions of the policy's menu that could not be evaluated, and so did not hold.", policy.FailedConditions)
	m.Level("amends_ledger_remembered_customers", "Customers that the process remembers, to change them in one round trip (--remember).",
		func() int { customers, _ := s.ledger.Remembered(); return customers })
	m.Level("amends_ledger_remembered_bytes", "Bytes that the customers take, about, whom the process remembers.",
		func() int { _, bytes := s.ledger.Remembered(); return bytes })
	m.Pool("calls", poolOf(s.ledger))
	m.Pool("watch", poolOf(s.tail))
	s.methods = map[string]*telemetry.Method{}
	for service, about := range s.grpc.GetServiceInfo() {
		for _, method := range about.Methods {
			name := service + "/" + method.Name
			s.methods["/"+name] = m.Method(name)
		}
	}
	s.otherMethod = m.Method("unknown")
}

func poolOf(of interface{ Pool() ledger.Pool }) func() telemetry.Pool {
	return func() telemetry.Pool { return telemetry.Pool(of.Pool()) }
}

// method finds what counts the calls of a method by its name at gRPC. The name of
// one that is not offered is what the caller chose to send, so nobody is told of it.
func (s *Server) method(name string) *telemetry.Method {
	if known, ok := s.methods[name]; ok {
		return known
	}
	return s.otherMethod
}

// offered reports whether a method is offered.
func (s *Server) offered(name string) bool {
	_, ok := s.methods[name]
	return ok
}

// currencies are those that a policy lists.
func currencies(p *recovery.Policy) []telemetry.Currency {
	list := make([]telemetry.Currency, 0, len(p.Currencies))
	for code, c := range p.Currencies {
		budget := c.DailyBudget
		if budget == recovery.NoBudget {
			budget = -1
		}
		list = append(list, telemetry.Currency{Code: code, Digits: c.Digits, Budget: budget})
	}
	return list
}

// budgeted are the currencies of which the active policy bounds what a tenant may
// give in a day.
func (s *Server) budgeted() []string {
	var list []string
	for _, c := range currencies(s.rules.Active().Rules) {
		if c.Budget >= 0 {
			list = append(list, c.Code)
		}
	}
	return list
}
