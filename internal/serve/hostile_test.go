package serve_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

const (
	reportPath = recoveryv1.RecoveryService_ReportFailure_FullMethodName
	assessPath = recoveryv1.RecoveryService_AssessCustomer_FullMethodName
)

// startAtEase runs a server that has answered many calls at once, and says how many
// goroutines there are then.
func startAtEase(t *testing.T) (s *running, goroutines int) {
	t.Helper()
	s = start(t, serve.Config{})
	atOnce(t, 200, func(i int) (*recoveryv1.AssessCustomerResponse, error) {
		return s.recovery.AssessCustomer(t.Context(), recoveryv1.AssessCustomerRequest_builder{CustomerId: "c"}.Build())
	})
	eventually(t, 5*time.Second, "all is answered", func() bool { open, _, _ := s.UnderWay(); return open == 0 })
	return s, goroutinesButOfStore()
}

// goroutinesButOfStore counts goroutines without those of the embedded store, which
// has one for each connection: how many of these are kept depends on how many calls
// happened to meet.
func goroutinesButOfStore() int {
	var stacks strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&stacks, 2) // each in full
	of := 0
	for stack := range strings.SplitSeq(stacks.String(), "\n\n") {
		if !strings.Contains(stack, "miniredis/v2/server.(*Server).servePeer") {
			of++
		}
	}
	return of
}

// unharmed expects that a server has let go of all that it was sent, remembers
// nothing of it, and does its work.
func (r *running) unharmed(t *testing.T, goroutines int) {
	t.Helper()
	eventually(t, 10*time.Second, "all is let go", func() bool {
		open, connections, calls := r.UnderWay()
		return open == 0 && connections <= 1 && calls == 0 && goroutinesButOfStore() <= goroutines+2
	})
	if !r.serving(t.Context()) {
		t.Error("health does not answer SERVING")
	}
	untouched(t, r, "victim")
	if _, err := r.report(t.Context(), event("after", "somebody")); err != nil {
		t.Errorf("a report afterwards: %v", err)
	}
	if log := r.log.String(); strings.Contains(log, "panic") || strings.Contains(log, `"code":"Unknown"`) {
		t.Errorf("a panic, or an answer that tells nothing")
	}
}

// answersOthers expects that somebody else is answered meanwhile, at the second
// or third time perhaps.
func (r *running) answersOthers(t *testing.T) {
	t.Helper()
	eventually(t, 5*time.Second, "somebody else is answered", func() bool {
		_, err := r.recovery.GetCase(t.Context(), recoveryv1.GetCaseRequest_builder{CaseId: "AAAAAAAAAAAAAAAAAAAAAA.1"}.Build())
		return status.Code(err) == codes.NotFound
	})
}

// heap is the memory in use, in MiB.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

// sound is the bytes of a report that would be carried out.
func sound(t *testing.T) []byte {
	t.Helper()
	b, err := proto.Marshal(recoveryv1.ReportFailureRequest_builder{Event: event("e", "victim")}.Build())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestNotGRPC says to the port what is no gRPC: the connection is closed.
func TestNotGRPC(t *testing.T) {
	s, goroutines := startAtEase(t)
	junk := make([]byte, 64<<10)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range junk {
		junk[i] = byte(random.Uint32())
	}
	for name, bytes := range map[string][]byte{
		"HTTP/1.1":                   []byte("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"),
		"random bytes":               junk,
		"a preface and random bytes": append([]byte(http2.ClientPreface), junk...),
		"no settings":                []byte(http2.ClientPreface + "\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678"),
	} {
		t.Run(name, func(t *testing.T) {
			d := arrive(t, s.Addr())
			_, _ = d.Conn.Write(bytes) // it may be closed already
			d.shut(3 * time.Second)
		})
	}
	t.Run("TLS", func(t *testing.T) {
		d := arrive(t, s.Addr())
		if err := tls.Client(d.Conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(t.Context()); err == nil {
			t.Error("a handshake on the plain port")
		}
	})
	t.Run("random frames", func(t *testing.T) {
		for range 200 {
			d := greet(t, s.Addr())
			_ = d.call(1, reportPath)
			for range 1 + random.IntN(5) {
				body := junk[random.IntN(1000):][:random.IntN(100)]
				_ = d.WriteRawFrame(http2.FrameType(random.IntN(12)), http2.Flags(random.Uint32()), uint32(random.IntN(4)), body)
			}
			d.Conn.Close()
		}
	})
	t.Run("cut short", func(t *testing.T) {
		for _, cut := range []int{1, 9, 10, 40} {
			d := greet(t, s.Addr())
			var frames bytes.Buffer
			block := append([]byte(nil), d.block(fields(reportPath))...)
			_ = http2.NewFramer(&frames, nil).WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true})
			d.mustWrite(frames.Bytes()[:cut])
			d.Conn.Close()
		}
		d := greet(t, s.Addr())
		_ = d.call(1, reportPath)
		whole := message(0, sound(t))
		_ = d.WriteData(1, false, whole[:len(whole)-1])
		d.Conn.Close()
	})
	s.unharmed(t, goroutines)
}

// TestTooLarge sends headers and messages without end: each is refused for
// itself, or with its connection, and takes little memory.
func TestTooLarge(t *testing.T) {
	s, goroutines := startAtEase(t)
	before := heap()
	t.Run("headers", func(t *testing.T) {
		d := greet(t, s.Addr())
		big := strings.Repeat("x", 4<<10)
		if err := d.call(1, reportPath, "a", big, "b", big, "c", big, "d", big); err != nil {
			t.Fatal(err)
		}
		_, err := d.answer(1, 3*time.Second)
		if !errors.As(err, new(http2.StreamError)) {
			t.Errorf("17 KiB of headers: %v, want the stream reset", err)
		}
		if err := d.call(3, assessPath); err != nil {
			t.Fatal(err)
		}
		_ = d.pour(3, message(0, nil), true)
		if st, err := d.answer(3, 3*time.Second); err != nil || st.Code() != codes.InvalidArgument {
			t.Errorf("the next call: %v, %v; want an answer", st, err)
		}
	})
	t.Run("many headers", func(t *testing.T) {
		d := greet(t, s.Addr())
		var more []string
		for range 2000 {
			more = append(more, "a", "b")
		}
		_ = d.call(1, reportPath, more...)
		if _, err := d.answer(1, 3*time.Second); !errors.As(err, new(http2.StreamError)) {
			t.Errorf("2000 headers: %v, want the stream reset", err)
		}
	})
	t.Run("headers without end", func(t *testing.T) {
		d := greet(t, s.Addr())
		_ = d.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: append([]byte(nil), d.block(fields(reportPath))...)})
		part := append([]byte(nil), d.block([]hpack.HeaderField{{Name: "a", Value: strings.Repeat("b", 12<<10), Sensitive: true}})...)
		sent := 0
		for ; sent < 64<<20; sent += len(part) {
			if err := d.WriteContinuation(1, false, part); err != nil {
				break
			}
		}
		if sent >= 64<<20 {
			t.Error("64 MiB of headers were taken")
		}
	})
	gz := func(size int) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(make([]byte, size))
		_ = w.Close()
		return b.Bytes()
	}
	for name, test := range map[string]struct {
		encoding string
		body     []byte
		code     codes.Code
		reason   string
	}{
		"gzip bomb":               {"gzip", message(1, gz(8<<20)), codes.ResourceExhausted, ""},
		"gzip, a little too much": {"gzip", message(1, gz(256<<10+1)), codes.ResourceExhausted, "MESSAGE_TOO_LARGE"},
		"no gzip":                 {"gzip", message(1, []byte("12345")), codes.Internal, ""},
		"compressed with nothing": {"identity", message(1, []byte("12345")), codes.Internal, ""},
		"unknown compression":     {"snappy", message(1, []byte("12345")), codes.Unimplemented, ""},
		"a gigabyte is promised":  {"identity", []byte{0, 0x40, 0, 0, 0}, codes.ResourceExhausted, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := greet(t, s.Addr())
			if err := d.call(1, reportPath, "grpc-encoding", test.encoding); err != nil {
				t.Fatal(err)
			}
			go func() { _ = d.pour(1, test.body, true) }()
			st, err := d.answer(1, 5*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			code, reason, _ := takeApart(t, st)
			if code != test.code || reason != test.reason {
				t.Errorf("answered %s %s (%s), want %s %s", code, reason, st.Message(), test.code, test.reason)
			}
		})
	}
	s.unharmed(t, goroutines)
	if after := heap(); after > before+16 {
		t.Errorf("%.0f MiB are in use, %.0f before", after, before)
	}
}

// TestFloods sends what costs the sender nothing, very often, while somebody
// else is answered.
func TestFloods(t *testing.T) {
	s, goroutines := startAtEase(t)
	before := heap()
	t.Run("10,000 rapid resets", func(t *testing.T) {
		d := greet(t, s.Addr())
		go func() { _, _ = d.answer(0, 30*time.Second) }() // takes what comes
		var frames bytes.Buffer
		write := http2.NewFramer(&frames, nil)
		id := uint32(1)
		for batch := range 200 {
			frames.Reset()
			for range 50 {
				_ = write.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: d.block(fields(reportPath)), EndHeaders: true})
				_ = write.WriteRSTStream(id, http2.ErrCodeCancel)
				id += 2
			}
			if _, err := d.Conn.Write(frames.Bytes()); err != nil {
				if !gone(err) {
					t.Error(err)
				}
				break
			}
			if batch%10 == 0 {
				s.answersOthers(t)
			}
		}
	})
	t.Run("pings", func(t *testing.T) {
		d := greet(t, s.Addr())
		for range 10_000 {
			if err := d.WritePing(false, [8]byte{1}); err != nil {
				return // it was closed
			}
		}
		d.shut(3 * time.Second)
	})
	t.Run("settings, and nothing is read", func(t *testing.T) {
		d := greet(t, s.Addr())
		_ = d.SetWriteDeadline(time.Now().Add(time.Second))
		for range 50_000 {
			if err := d.WriteSettings(); err != nil {
				break // it is not read any more
			}
		}
		s.answersOthers(t)
	})
	t.Run("answers that nobody takes", func(t *testing.T) {
		d := greet(t, s.Addr())
		_ = d.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		for i := range uint32(200) {
			if err := d.call(2*i+1, assessPath); err != nil {
				t.Fatal(err)
			}
			body, err := proto.Marshal(recoveryv1.AssessCustomerRequest_builder{CustomerId: "c"}.Build())
			if err != nil {
				t.Fatal(err)
			}
			_ = d.pour(2*i+1, message(0, body), true)
		}
		s.answersOthers(t)
	})
	t.Run("streams above the limit", func(t *testing.T) {
		d := greet(t, s.Addr())
		refused := 0
		for i := range uint32(300) {
			_ = d.call(2*i+1, recoveryv1.RecoveryService_Ingest_FullMethodName)
		}
		_ = d.SetReadDeadline(time.Now().Add(time.Second))
		for refused < 300-256 {
			f, err := d.ReadFrame()
			if err != nil {
				t.Fatalf("%d refused: %v", refused, err)
			}
			if f, ok := f.(*http2.RSTStreamFrame); ok && f.ErrCode == http2.ErrCodeRefusedStream {
				refused++
			}
		}
		s.answersOthers(t)
	})
	s.unharmed(t, goroutines)
	if after := heap(); after > before+16 {
		t.Errorf("%.0f MiB are in use, %.0f before", after, before)
	}
}

// TestFarDeadlines: a call that is refused leaves nothing behind, also if it had a
// thousand years.
func TestFarDeadlines(t *testing.T) {
	s, goroutines := startAtEase(t)
	before := heap()
	d := greet(t, s.Addr())
	const calls = 20_000
	go func() {
		for i := range uint32(calls) {
			if d.call(2*i+1, "/nothing", "grpc-timeout", "9999999H") != nil {
				return
			}
		}
	}()
	if _, err := d.answer(2*calls-1, 30*time.Second); err != nil && !errors.As(err, new(http2.StreamError)) { // too many at once
		t.Fatal(err)
	}
	if after := heap(); after > before+4 {
		t.Errorf("%.0f MiB are in use, %.0f before", after, before)
	}
	d.Conn.Close()
	s.unharmed(t, goroutines)
}

// TestSlowClients: who says nothing, or only half of it, is not waited for.
func TestSlowClients(t *testing.T) {
	s, goroutines := startAtEase(t)
	began := time.Now()
	silent := arrive(t, s.Addr())
	drip := arrive(t, s.Addr())
	go func() {
		for _, b := range []byte(http2.ClientPreface) {
			if _, err := drip.Conn.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(500 * time.Millisecond)
		}
	}()
	headers := greet(t, s.Addr())
	const calls = 200
	for i := range uint32(calls) {
		if err := headers.call(2*i+1, reportPath); err != nil {
			t.Fatal(err)
		}
	}
	half := greet(t, s.Addr())
	_ = half.call(1, reportPath)
	_ = half.WriteData(1, false, message(0, sound(t))[:20])
	s.answersOthers(t)
	for name, d := range map[string]*door{"headers alone": headers, "half a message": half} {
		st, err := d.answer(1, 8*time.Second)
		if err != nil || st.Code() != codes.DeadlineExceeded {
			t.Errorf("%s: answered %v, %v; want DeadlineExceeded", name, st, err)
		}
		d.Conn.Close()
	}
	silent.shut(3 * time.Second)
	drip.shut(3 * time.Second)
	if took := time.Since(began); took < 4*time.Second {
		t.Errorf("they were ended after %s, want 5 seconds", took)
	}
	s.unharmed(t, goroutines)
}

// TestHalfSentProbes: health checks are for everybody, but who sends only a part of
// many is not waited for, and keeps nobody else from making them.
func TestHalfSentProbes(t *testing.T) {
	for _, method := range []string{healthv1.Health_Check_FullMethodName, healthv1.Health_List_FullMethodName, healthv1.Health_Watch_FullMethodName} {
		t.Run(method, func(t *testing.T) {
			t.Parallel() // each takes 5 seconds
			s := start(t, serve.Config{})
			part := message(0, make([]byte, 2<<20-100))[:1000]
			send := func(calls int) *door {
				d := greet(t, s.Addr())
				for i := range uint32(calls) {
					if err := errors.Join(d.call(2*i+1, method), d.WriteData(2*i+1, false, part)); err != nil {
						t.Fatal(err)
					}
				}
				return d
			}
			if st, err := send(200).answer(1, 3*time.Second); err != nil || st.Code() != codes.Canceled {
				t.Errorf("the first of many is answered %v, %v; want Canceled soon", st, err)
			}
			watch, err := s.health.Watch(t.Context(), &healthv1.HealthCheckRequest{})
			if err == nil {
				_, err = watch.Recv()
			}
			if err != nil || !s.serving(t.Context()) {
				t.Errorf("somebody else's are refused: %v", err)
			}
			if st, err := send(1).answer(1, 8*time.Second); err != nil || st.Code() != codes.Canceled {
				t.Errorf("the last is answered %v, %v; want Canceled after 5 seconds", st, err)
			}
			go func() { _ = s.Stop(context.Background()) }()
			if next, err := watch.Recv(); err != nil || next.GetStatus() != healthv1.HealthCheckResponse_NOT_SERVING {
				t.Errorf("a watch that has lasted: %v, %v; want NOT_SERVING", next, err)
			}
		})
	}
}

// TestMostConnections: one connection too many is closed at once, and when
// another has ended there is room.
func TestMostConnections(t *testing.T) {
	s := start(t, serve.Config{})
	s.SetMost(100, 2, 100)
	s.serving(t.Context())
	second := greet(t, s.Addr())
	eventually(t, 5*time.Second, "two connections", func() bool { _, connections, _ := s.UnderWay(); return connections == 2 })
	arrive(t, s.Addr()).shut(3 * time.Second)
	second.Conn.Close()
	eventually(t, 5*time.Second, "one connection", func() bool { _, connections, _ := s.UnderWay(); return connections == 1 })
	third := greet(t, s.Addr())
	_ = third.call(1, assessPath)
	_ = third.pour(1, message(0, nil), true)
	if st, err := third.answer(1, 3*time.Second); err != nil || st.Code() != codes.InvalidArgument {
		t.Errorf("the next connection: %v, %v; want an answer", st, err)
	}
}
