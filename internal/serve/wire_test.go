package serve_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// raw sends bytes as they are.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error)   { return v.([]byte), nil }
func (raw) Unmarshal(b []byte, v any) error { *v.(*[]byte) = append([]byte(nil), b...); return nil }
func (raw) Name() string                    { return "proto" }

// methods are all that the contract names.
func methods() (all []protoreflect.MethodDescriptor) {
	for _, file := range []protoreflect.FileDescriptor{
		recoveryv1.File_recovery_v1_recovery_service_proto, recoveryv1.File_recovery_v1_policy_service_proto,
	} {
		for i := range file.Services().Len() {
			for j := range file.Services().Get(i).Methods().Len() {
				all = append(all, file.Services().Get(i).Methods().Get(j))
			}
		}
	}
	return all
}

// send calls a method with bytes for a request. A watch lasts until the caller
// goes: its first message is answer enough. Of a bulk load it gives why the item
// was refused.
func send(ctx context.Context, conn *grpc.ClientConn, m protoreflect.MethodDescriptor, body []byte) error {
	path := fmt.Sprintf("/%s/%s", m.Parent().FullName(), m.Name())
	desc := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := conn.NewStream(ctx, desc, path, grpc.ForceCodec(raw{}))
	if err != nil {
		return err
	}
	_ = stream.SendMsg(body) // the answer tells
	_ = stream.CloseSend()
	for {
		var answer []byte
		switch err := stream.RecvMsg(&answer); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case m.Name() == "WatchCases":
			return nil
		case m.Name() == "Ingest":
			var a recoveryv1.IngestResponse
			return cmp.Or(proto.Unmarshal(answer, &a), status.FromProto(a.GetError()).Err())
		}
	}
}

func TestBytesThatAreNoMessage(t *testing.T) {
	s := start(t, serve.Config{})
	bodies := map[string][]byte{
		"cut short":     {0x0a, 0x20, 'x'},
		"not UTF-8":     append([]byte{0x0a, 0x04, 0x0a, 0x02}, 0xff, 0xfe),
		"nothing known": []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
	}
	for _, m := range methods() {
		for name, body := range bodies {
			if name == "not UTF-8" && m.Name() != "ReportFailure" {
				continue // their first field is no message with a text first
			}
			code, reason, _ := refused(t, send(t.Context(), s.conn, m, body))
			want, because := codes.InvalidArgument, "MALFORMED_MESSAGE"
			if code != want || reason != because {
				t.Errorf("%s, %s: answered %s %s, want %s %s", m.Name(), name, code, reason, want, because)
			}
		}
	}
	if log := s.log.String(); strings.Count(log, "MALFORMED_MESSAGE") < 40 {
		t.Errorf("the refusals are not in the log:\n%s", log)
	}
}

// filler is an unknown field, of that many bytes in all.
func filler(size int) []byte {
	size -= 5
	return append([]byte{0xba, 0x3e, byte(size&0x7f | 0x80), byte(size>>7&0x7f | 0x80), byte(size >> 14 & 0x7f)}, make([]byte, size)...)
}

// TestIngestWhatCannotBeRead: an item that cannot be read is answered like any other
// that is at fault, and those behind it are taken. Beyond what gRPC itself takes the
// stream ends.
func TestIngestWhatCannotBeRead(t *testing.T) {
	s := start(t, serve.Config{})
	good := func(id string) []byte {
		body, err := proto.Marshal(recoveryv1.IngestRequest_builder{Interaction: praise(id, "c")}.Build())
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	items := []struct {
		body []byte
		want string
	}{
		{good("first"), ""},
		{filler(1<<20 + 1), "ResourceExhausted MESSAGE_TOO_LARGE"},
		{filler(2 << 20), "ResourceExhausted MESSAGE_TOO_LARGE"},
		{[]byte{0x12, 0x04, 0x0a, 0x02, 0xff, 0xfe}, "InvalidArgument MALFORMED_MESSAGE"},
		{[]byte{0x0a, 0x20, 'x'}, "InvalidArgument MALFORMED_MESSAGE"},
		{good("last"), ""},
	}
	desc := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	stream, err := s.conn.NewStream(t.Context(), desc, recoveryv1.RecoveryService_Ingest_FullMethodName, grpc.ForceCodec(raw{}))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for _, i := range items {
			_ = stream.SendMsg(i.body) // the answers tell
		}
	}()
	for n, i := range items {
		var body []byte
		var answer recoveryv1.IngestResponse
		if err := cmp.Or(stream.RecvMsg(&body), proto.Unmarshal(body, &answer)); err != nil {
			t.Fatalf("item %d: %v", n, err)
		}
		got := ""
		if answer.HasError() {
			code, reason, _ := takeApart(t, status.FromProto(answer.GetError()))
			got = fmt.Sprint(code, " ", reason)
		}
		if got != i.want || answer.GetSequence() != int64(n) || got == "" && answer.GetInteraction().GetStatus() != recoveryv1.InteractionStatus_INTERACTION_STATUS_RECORDED {
			t.Errorf("item %d: %q, want %q; %v", n, got, i.want, &answer)
		}
	}
	_ = stream.SendMsg(filler(2<<20 + 1))
	var body []byte
	if err := stream.RecvMsg(&body); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("beyond what gRPC takes: %v, want ResourceExhausted", err)
	}
	if a := s.assess(t, "c"); a.GetPositiveMass() != 2 {
		t.Errorf("%v of two good experiences were taken", a.GetPositiveMass())
	}
}

func TestMessageTooLarge(t *testing.T) {
	s := start(t, serve.Config{})
	for _, m := range methods() {
		most := 256 << 10
		if m.Name() == "RecordInteractions" || m.Name() == "Ingest" {
			most = 1 << 20
		}
		if code := status.Code(send(t.Context(), s.conn, m, filler(most))); code == codes.ResourceExhausted {
			t.Errorf("%s refuses %d bytes", m.Name(), most)
		}
		code, reason, _ := refused(t, send(t.Context(), s.conn, m, filler(most+1)))
		if code != codes.ResourceExhausted || reason != "MESSAGE_TOO_LARGE" {
			t.Errorf("%s: %d bytes answered %s %s, want ResourceExhausted MESSAGE_TOO_LARGE", m.Name(), most+1, code, reason)
		}
	}
}

// FuzzWire sends any bytes to any method: every answer has a code that tells
// something and a reason, the process lives, and nothing is written unless the
// bytes are a sound request.
func FuzzWire(f *testing.F) {
	s := start(f, serve.Config{})
	all := methods()
	sound := proto.MarshalOptions{Deterministic: true}
	for i := range all {
		f.Add(byte(i), []byte{})
		f.Add(byte(i), []byte{0x0a, 0x02, 0x0a, 0x00})
	}
	body, err := sound.Marshal(recoveryv1.ReportFailureRequest_builder{Event: event("e", "c"), ValidateOnly: true}.Build())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(byte(0), body)
	f.Add(byte(1), body)
	f.Fuzz(func(t *testing.T, method byte, body []byte) {
		m := all[int(method)%len(all)]
		if writes(m, body) {
			t.Skip("a sound request")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := send(ctx, s.conn, m, body)
		code, reason, _ := refused(t, err)
		switch code {
		case codes.Unknown, codes.Internal, codes.DeadlineExceeded, codes.Unavailable:
			t.Fatalf("%s answers %x with %v", m.Name(), body, err)
		case codes.OK:
		default:
			if reason == "" {
				t.Fatalf("%s answers %x without a reason: %v", m.Name(), body, err)
			}
		}
	})
	f.Cleanup(func() {
		if log := s.log.String(); strings.Contains(log, "panic") {
			f.Errorf("a panic:\n%s", log)
		}
	})
}

// writes reports whether the bytes are a request that may change something.
func writes(m protoreflect.MethodDescriptor, body []byte) bool {
	switch m.Name() {
	case "ReportFailure":
		var r recoveryv1.ReportFailureRequest
		return proto.Unmarshal(body, &r) == nil && !r.GetValidateOnly() && r.GetEvent().GetEventId() != ""
	case "RecordInteractions":
		var r recoveryv1.RecordInteractionsRequest
		return proto.Unmarshal(body, &r) == nil && len(r.GetInteractions()) > 0
	default:
		return false
	}
}
