package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/makeamends/amends/internal/serve"
	"github.com/makeamends/amends/internal/telemetry"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

const baselineMethod = "/bench.Baseline/Call"

// Baselines are the kinds there are.
var Baselines = []string{"echo", "plain", "bare"}

// Baseline is a server beside which the service is measured. It takes the very
// requests of ReportFailure and gives answers that are as long.
type Baseline struct {
	Kind   string // one of Baselines
	Listen string
	Answer int    // bytes
	Redis  string // of all but the echo
	Sends  int    // bytes to Redis for a call, of the bare baseline
}

// Run serves until ctx ends.
func (b Baseline) Run(ctx context.Context) error {
	listener, err := net.Listen("tcp", b.Listen)
	if err != nil {
		return err
	}
	handle := b.echo
	options := b.transport()
	if b.Kind != "echo" {
		address, err := redis.ParseURL(b.Redis)
		if err != nil {
			return err
		}
		if b.Kind == "bare" {
			asLedger(address)
		}
		client := redis.NewClient(address)
		defer client.Close()
		handle = (&plain{client, b.answer()}).call
		if b.Kind == "bare" {
			told, err := telemetry.Setup(ctx, "bench")
			if err != nil {
				return err
			}
			defer func() { _ = told.Shutdown(context.WithoutCancel(ctx)) }() // nobody needs the last spans
			options = append(options, grpc.StatsHandler(told.GRPC(func(string) bool { return true })))
			handle = newBare(client, b).call
		}
	}
	server := grpc.NewServer(options...)
	server.RegisterService(&grpc.ServiceDesc{ServiceName: "bench.Baseline", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{
		MethodName: "Call",
		Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			return handle(ctx, decode)
		},
	}}}, nil)
	healthv1.RegisterHealthServer(server, health.NewServer())
	defer context.AfterFunc(ctx, server.Stop)()
	return server.Serve(listener)
}

// transport gives the options of gRPC that the service has. A first version leaves what
// it is not asked for as gRPC has it, so the plain baseline does.
func (b Baseline) transport() []grpc.ServerOption {
	if b.Kind == "plain" {
		return nil
	}
	return serve.Transport()
}

// answer has a message that is as long as wanted.
func (b Baseline) answer() *wrapperspb.BytesValue {
	const frame = 3 // bytes around the value in a message of 128 bytes to 16 KiB
	return &wrapperspb.BytesValue{Value: make([]byte, max(0, b.Answer-frame))}
}

// echo does nothing. A request with an event in its first field can be read as
// one with bytes there.
func (b Baseline) echo(_ context.Context, decode func(any) error) (any, error) {
	var in wrapperspb.BytesValue
	if err := decode(&in); err != nil {
		return nil, err
	}
	return b.answer(), nil
}

// plain reads, changes and writes one hash a customer, as a first version of such
// a service is mostly written. It knows nothing of repeated events, promises,
// erasure or what the customer has been given; it neither validates, logs, counts
// nor traces.
type plain struct {
	client *redis.Client
	answer *wrapperspb.BytesValue
}

const (
	plainTries = 100
	plainKeeps = 180 * 24 * time.Hour
)

func (p *plain) call(ctx context.Context, decode func(any) error) (any, error) {
	var in recoveryv1.ReportFailureRequest
	if err := decode(&in); err != nil {
		return nil, err
	}
	key := "plain:" + in.GetEvent().GetCustomerId()
	for range plainTries {
		err := p.client.Watch(ctx, func(tx *redis.Tx) error { return p.change(ctx, tx, key, in.GetEvent()) }, key)
		if err == nil {
			return p.answer, nil
		}
		if !errors.Is(err, redis.TxFailedErr) {
			return nil, status.Error(codes.Unavailable, err.Error())
		}
	}
	return nil, status.Error(codes.Aborted, "others change this customer all the time")
}

// change counts the failure and lets the score rise, after it has decayed.
func (p *plain) change(ctx context.Context, tx *redis.Tx, key string, e *recoveryv1.FailureEvent) error {
	was, err := tx.HGetAll(ctx, key).Result()
	if err != nil {
		return err
	}
	failures, _ := strconv.Atoi(was["failures"]) // a new customer has none
	score, _ := strconv.ParseFloat(was["score"], 64)
	last, _ := strconv.ParseInt(was["last_at"], 10, 64)
	now := time.Now()
	if last != 0 {
		score /= 1 + now.Sub(time.UnixMilli(last)).Hours()/(90*24)
	}
	score += 0.2 * float64(len(e.GetKinds()))
	owed := float64(e.GetOrderValue().GetUnits()) * min(score, 1)
	_, err = tx.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.HSet(ctx, key, "failures", failures+1, "score", score, "last_at", now.UnixMilli(),
			"last_order", e.GetOrderId(), "last_event", e.GetEventId(), "kinds", fmt.Sprint(e.GetKinds()),
			"channel", e.GetChannel().String(), "owed", owed, "answer_by", now.Add(24*time.Hour).UnixMilli())
		pipe.Expire(ctx, key, plainKeeps)
		return nil
	})
	return err
}
