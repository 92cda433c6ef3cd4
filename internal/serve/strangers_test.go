package serve_test

import (
	"crypto/tls"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"

	"github.com/makeamends/amends/internal/authtest"
	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// stranger is a connection of somebody without certificate and token.
func stranger(t *testing.T, f *fort) *door {
	t.Helper()
	raw, err := tls.Dial("tcp", f.Addr(), &tls.Config{RootCAs: f.authority.Pool(), ServerName: "localhost", NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	d := &door{Conn: raw, tb: t, Framer: http2.NewFramer(raw, raw)}
	d.encode = hpack.NewEncoder(&d.headers)
	d.mustWrite([]byte(http2.ClientPreface))
	if err := d.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestStrangers: whatever people send who are nobody, it takes no caller's place, not
// that of one whose token was never seen before either. They are answered without
// having sent a message.
func TestStrangers(t *testing.T) {
	for name, test := range map[string]struct {
		timeout string // of the calls, which never send a message
		calls   int    // on each of the connections
		from    int
		forged  bool // a token comes with them
	}{
		"who are gone at once":      {"1n", 1200, 1, false},
		"who say nothing":           {"25S", 250, 17, false},
		"who show what is no token": {"25S", 250, 4, true},
	} {
		t.Run(name, func(t *testing.T) {
			callers := withTokens + "callers:\n" + caller("a", "reporter, agent", "a", "calls_per_second: 1000, burst: 1000, calls_at_once: 100")
			f := defend(t, callers, serve.Config{})
			desk := recoveryOf(f.as(t, "a"))
			report := func(desk recoveryv1.RecoveryServiceClient, id string) (*recoveryv1.ReportFailureResponse, error) {
				return desk.ReportFailure(t.Context(), recoveryv1.ReportFailureRequest_builder{Event: eventIn("a", id, "c")}.Build())
			}
			k, err := report(desk, "before")
			if err != nil {
				t.Fatal(err)
			}
			more := []string{"grpc-timeout", test.timeout}
			if test.forged {
				more = append(more, "authorization", "Bearer "+authtest.NewIssuer(t, issuerName, "1").Token(t, "a", nil))
			}
			for range test.from {
				d := stranger(t, f)
				for i := range uint32(test.calls) {
					if err := d.call(2*i+1, recoveryv1.RecoveryService_AcknowledgeCase_FullMethodName, more...); err != nil {
						t.Fatal(err)
					}
				}
				st, err := d.answer(uint32(2*test.calls-1), 5*time.Second) // all of them have arrived
				if err != nil {
					t.Fatal(err)
				}
				if code, reason, _ := takeApart(t, st); test.timeout == "25S" && (code != codes.Unauthenticated || reason != "UNAUTHENTICATED") {
					t.Errorf("answered %s %s", code, reason)
				}
			}
			step := recoveryv1.AcknowledgeCaseRequest_builder{CaseId: k.GetCase().GetCaseId(), RequestId: "r"}
			if _, err := desk.AcknowledgeCase(t.Context(), step.Build()); err != nil {
				t.Errorf("acknowledge: %v", err)
			}
			if _, err := report(desk, "after"); err != nil {
				t.Errorf("report: %v", err)
			}
			token := f.issuer.Token(t, "a", map[string]any{"tenant": "a"})
			if _, err := report(recoveryOf(f.bearing(t, token)), "new"); err != nil {
				t.Errorf("report with a token that was not seen before: %v", err)
			}
		})
	}
}
