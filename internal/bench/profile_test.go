package bench

import "testing"

// A sample belongs to the innermost function that has an owner.
func TestPartsOfAProfile(t *testing.T) {
	const (
		unmarshal = "google.golang.org/protobuf/proto.Unmarshal"
		handler   = "google.golang.org/grpc.(*Server).processUnaryRPC"
	)
	for want, stacks := range map[string][][]string{
		partMemory:    {{"runtime.memclrNoHeapPointers", "runtime.mallocgc", module + "ledger.decode"}, {"runtime.scanobject", "runtime.gcDrain"}},
		partRedis:     {{"internal/runtime/syscall.Syscall6", "net.(*conn).Write", "github.com/redis/go-redis/v9.(*Client).process", module + "ledger.Load", handler}},
		partGRPC:      {{"internal/runtime/syscall.Syscall6", "net.(*conn).Write", "google.golang.org/grpc/internal/transport.(*loopyWriter).run"}},
		partMessages:  {{"runtime.memmove", unmarshal, "google.golang.org/grpc/encoding/proto.(*codecV2).Unmarshal", handler}, {unmarshal}, {module + "rpc.newCase", handler}},
		partLedger:    {{unmarshal, module + "ledger.decode", module + "serve.turn", handler}, {"crypto/sha256.block", module + "ledger.key"}},
		partValidate:  {{unmarshal, "buf.build/go/protovalidate.Validate", module + "rpc.check"}},
		partTelemetry: {{"internal/poll.(*FD).Write", "os.(*File).Write", "log/slog.(*JSONHandler).Handle", module + "serve.log"}},
		partJudge:     {{"math.archExp", module + "recovery.Decide", module + "rpc.report"}},
		partSchedule:  {{"runtime.futex", "runtime.findRunnable", "runtime.schedule"}},
		partOther:     {{"main.main"}, nil},
	} {
		for _, stack := range stacks {
			if got := partOf(stack); got != want {
				t.Errorf("%v belongs to %q, want %q", stack, got, want)
			}
		}
	}
}
