package serve

import (
	"testing"

	"github.com/makeamends/amends/internal/auth"
	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/rpc"
	"github.com/makeamends/amends/internal/telemetry"
)

// Every method that is offered has a row in the table, and the table has no others.
func TestEveryMethodHasItsRow(t *testing.T) {
	s := &Server{config: Config{}.withDefaults()}
	var err error
	if s.telemetry, err = telemetry.Setup(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	defer s.telemetry.Shutdown(t.Context())
	rules := &rulebook{Book: policy.NewBook(policy.Default(), nil)}
	service, err := rpc.New(rpc.Config{Rules: rules, Shelf: rules, Tracer: s.telemetry.Tracer()})
	if err != nil {
		t.Fatal(err)
	}
	s.register(service)
	defer s.grpc.Stop()
	rows := map[string]bool{}
	for _, m := range auth.Methods {
		rows[m.Name] = true
	}
	for name, info := range s.grpc.GetServiceInfo() {
		for _, m := range info.Methods {
			full := "/" + name + "/" + m.Name
			if !rows[full] {
				t.Errorf("%s is offered and has no row: nobody may call it", full)
			}
			delete(rows, full)
		}
	}
	for name := range rows {
		t.Errorf("%s has a row and is not offered", name)
	}
}
