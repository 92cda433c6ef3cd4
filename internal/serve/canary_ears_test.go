package serve_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// ears hear, on the caller's end, all that is said about calls: they keep every
// error and every metadata that came back, and what was asked for. They also send
// metadata that nobody has asked for.
type ears struct {
	*canaries
	mu     sync.Mutex
	heard  haul
	ends   map[string]map[string]int // method → OK or the reason → how often
	worked map[string]proto.Message  // method → the last request of it that was answered
}

func newEars(c *canaries) *ears {
	return &ears{canaries: c, heard: haul{}, ends: map[string]map[string]int{}, worked: map[string]proto.Message{}}
}

func (e *ears) options() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithChainUnaryInterceptor(e.unary), grpc.WithChainStreamInterceptor(e.stream), grpc.WithUserAgent(e.one("metadata user-agent")),
	}
}

// metadata is what may come with a call: every other one has a trace of its own.
func (e *ears) metadata(ctx context.Context) context.Context {
	parent := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	if state := e.one("metadata tracestate"); len(state)%2 == 0 {
		parent = e.one("metadata traceparent")
	}
	key := e.one("metadata key")
	return metadata.AppendToOutgoingContext(ctx, "traceparent", parent, "tracestate", key+"="+e.one("metadata tracestate"), "baggage", key+"="+e.one("metadata baggage"),
		"x-"+key, e.one("metadata value"), "x-"+key+"-bin", e.one("metadata bytes"), "x-request-id", e.one("metadata request id"), "x-forwarded-for", e.one("metadata address"))
}

func (e *ears) unary(ctx context.Context, method string, request, answer any, cc *grpc.ClientConn, next grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	var header, trailer metadata.MD
	err := next(e.metadata(ctx), method, request, answer, cc, append(opts, grpc.Header(&header), grpc.Trailer(&trailer))...)
	if message, ok := request.(proto.Message); ok && err == nil {
		e.took(method, message)
	}
	e.hear(method, answer, err, header, trailer)
	return err
}

func (e *ears) stream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, next grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	s, err := next(e.metadata(ctx), desc, cc, method, opts...)
	if err != nil {
		e.hear(method, nil, err)
		return nil, err
	}
	return &heardStream{s, e, method}, nil
}

type heardStream struct {
	grpc.ClientStream
	ears   *ears
	method string
}

func (s *heardStream) SendMsg(m any) error {
	if message, ok := m.(proto.Message); ok {
		s.ears.took(s.method, message)
	}
	return s.ClientStream.SendMsg(m)
}

func (s *heardStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	header, _ := s.Header() // has none where the call failed at once
	if err != nil {
		s.ears.hear(s.method, nil, err, header, s.Trailer())
	} else {
		s.ears.hear(s.method, m, nil, header)
	}
	return err
}

func (e *ears) took(method string, request proto.Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.worked[short(method)] = proto.Clone(request)
}

func short(method string) string { return method[strings.LastIndexByte(method, '/')+1:] }

func (e *ears) hear(method string, answer any, err error, about ...metadata.MD) {
	if err == io.EOF {
		err = nil
	}
	all := []*status.Status{status.Convert(err)}
	if message, ok := answer.(proto.Message); ok && err == nil {
		all = append(all, within(message)...)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, st := range all {
		how := st.Code().String()
		for _, detail := range st.Details() {
			if info, ok := detail.(*errdetails.ErrorInfo); ok {
				how = info.GetReason()
			}
		}
		if e.ends[short(method)] == nil {
			e.ends[short(method)] = map[string]int{}
		}
		e.ends[short(method)][how]++
		name := "a method that is not offered" // where the name was sent by this test
		if !strings.Contains(method, mark) {
			name = short(method)
		}
		e.heard.addStatus(name+" "+how, st)
		e.heard.add("metadata", name+" "+how, fmt.Sprint(about))
	}
}

// within are the errors that an answer tells of its items.
func within(answer proto.Message) (found []*status.Status) {
	each(answer.ProtoReflect(), func(at protoreflect.Message, f protoreflect.FieldDescriptor) {
		if st, ok := at.Interface().(*rpcstatus.Status); ok && f.Number() == 1 { // once, however many fields it has
			found = append(found, status.FromProto(st))
		}
	})
	return found
}

// formats are those in which metrics are offered.
var formats = []string{"text/plain; version=0.0.4", "application/openmetrics-text; version=1.0.0"}

// scrape reads a page as Prometheus does.
func scrape(t *testing.T, url, format string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", format)
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	kind, _, _ := strings.Cut(format, ";")
	if !strings.HasPrefix(answer.Header.Get("Content-Type"), kind) {
		t.Fatalf("the answer is %s", answer.Header.Get("Content-Type"))
	}
	return string(text)
}
