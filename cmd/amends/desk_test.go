package main

import (
	"context"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// desk is a service that answers as a test says, and remembers what it was asked.
type desk struct {
	recoveryv1.UnimplementedRecoveryServiceServer
	address string
	// answer answers the n-th call, from 1, that is no watch.
	answer func(n int, request proto.Message) (proto.Message, error)
	// watch answers the n-th watch, from 1.
	watch func(n int, request *recoveryv1.WatchCasesRequest, send func(*recoveryv1.WatchCasesResponse), ctx context.Context) error

	mu       sync.Mutex
	requests []proto.Message
	watches  []*recoveryv1.WatchCasesRequest
}

func newDesk(t *testing.T, d *desk) *desk {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.address = listener.Addr().String()
	server := grpc.NewServer(grpc.UnaryInterceptor(func(_ context.Context, request any, _ *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
		d.mu.Lock()
		d.requests = append(d.requests, request.(proto.Message))
		n := len(d.requests)
		d.mu.Unlock()
		if d.answer == nil {
			return nil, status.Error(codes.Unimplemented, "not here")
		}
		return d.answer(n, request.(proto.Message))
	}))
	recoveryv1.RegisterRecoveryServiceServer(server, d)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() { server.Stop(); <-ended })
	return d
}

func (d *desk) WatchCases(request *recoveryv1.WatchCasesRequest, stream grpc.ServerStreamingServer[recoveryv1.WatchCasesResponse]) error {
	d.mu.Lock()
	d.watches = append(d.watches, request)
	n := len(d.watches)
	d.mu.Unlock()
	return d.watch(n, request, func(message *recoveryv1.WatchCasesResponse) { _ = stream.Send(message) }, stream.Context())
}

// asked is what was asked for, watches apart.
func (d *desk) asked() []proto.Message {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.requests
}

// theCase is what a desk answers: a case with these offers.
func theCase(offers ...*recoveryv1.Offer) *recoveryv1.Case {
	return recoveryv1.Case_builder{CaseId: "c.1", Revision: 4, State: recoveryv1.CaseState_CASE_STATE_ACKNOWLEDGED, Offers: offers}.Build()
}

func anOffer(id string, state recoveryv1.OfferState) *recoveryv1.Offer {
	return recoveryv1.Offer_builder{OfferId: id, State: state, Total: mustMoney("27.00 USD")}.Build()
}

// answered answers any step, and a question for the case, with the case.
func answered(c *recoveryv1.Case) func(int, proto.Message) (proto.Message, error) {
	return func(_ int, request proto.Message) (proto.Message, error) {
		switch request.(type) {
		case *recoveryv1.GetCaseRequest:
			return recoveryv1.GetCaseResponse_builder{Case: c}.Build(), nil
		case *recoveryv1.AcknowledgeCaseRequest:
			return recoveryv1.AcknowledgeCaseResponse_builder{Case: c}.Build(), nil
		case *recoveryv1.RecordContactRequest:
			return recoveryv1.RecordContactResponse_builder{Case: c}.Build(), nil
		case *recoveryv1.HoldCaseRequest:
			return recoveryv1.HoldCaseResponse_builder{Case: c}.Build(), nil
		case *recoveryv1.ReleaseCaseRequest:
			return recoveryv1.ReleaseCaseResponse_builder{Case: c}.Build(), nil
		case *recoveryv1.RequestOfferRequest:
			return recoveryv1.RequestOfferResponse_builder{Case: c, Offer: c.GetOffers()[0]}.Build(), nil
		case *recoveryv1.ApproveOfferRequest:
			return recoveryv1.ApproveOfferResponse_builder{Case: c}.Build(), nil
		case *recoveryv1.MakeOfferRequest:
			return recoveryv1.MakeOfferResponse_builder{Case: c}.Build(), nil
		case *recoveryv1.AnswerOfferRequest:
			return recoveryv1.AnswerOfferResponse_builder{Case: c}.Build(), nil
		case *recoveryv1.ResolveCaseRequest:
			return recoveryv1.ResolveCaseResponse_builder{Case: c}.Build(), nil
		case *recoveryv1.RecordFollowUpRequest:
			return recoveryv1.RecordFollowUpResponse_builder{Case: c}.Build(), nil
		case *recoveryv1.ReopenCaseRequest:
			return recoveryv1.ReopenCaseResponse_builder{Case: c}.Build(), nil
		default:
			return nil, status.Errorf(codes.Unimplemented, "%T", request)
		}
	}
}
