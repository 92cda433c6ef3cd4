package serve_test

import (
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
// goes: its first message is answer enough.
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

func TestMessageTooLarge(t *testing.T) {
	s := start(t, serve.Config{})
	field := func(size int) []byte { // an unknown field of that many bytes
		return append([]byte{0xba, 0x3e, byte(size&0x7f | 0x80), byte(size>>7&0x7f | 0x80), byte(size >> 14 & 0x7f)}, make([]byte, size)...)
	}
	for _, m := range methods() {
		most := 256 << 10
		if m.Name() == "RecordInteractions" || m.Name() == "Ingest" {
			most = 1 << 20
		}
		if code := status.Code(send(t.Context(), s.conn, m, field(most-5))); code == codes.ResourceExhausted {
			t.Errorf("%s refuses %d bytes", m.Name(), most)
		}
		code, reason, _ := refused(t, send(t.Context(), s.conn, m, field(most-4)))
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
