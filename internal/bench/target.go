package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// connections are how many a target is called over: one would be a queue of its own.
const connections = 4

// target is a server that is called.
type target struct {
	name   string
	server *child
	method string
	conns  []*grpc.ClientConn
	turn   atomic.Uint32
}

// dial connects to a server and waits until it says that it serves.
func dial(ctx context.Context, server *child, addr, method string) (*target, error) {
	t := &target{name: server.name, server: server, method: method}
	for range connections {
		conn, err := grpc.NewClient(addr,
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: time.Millisecond, Multiplier: 1, MaxDelay: time.Millisecond}}),
		)
		if err != nil {
			return nil, err
		}
		t.conns = append(t.conns, conn)
	}
	for _, conn := range t.conns {
		if err := server.await(ctx, func(ctx context.Context) error { return serving(ctx, conn) }); err != nil {
			t.close()
			return nil, err
		}
	}
	return t, nil
}

// serving asks the health service.
func serving(ctx context.Context, conn *grpc.ClientConn) error {
	answer, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	if s := answer.GetStatus(); s != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("its health is %v", s)
	}
	return nil
}

// call makes a call of the target's method and tells how long the answer was.
func (t *target) call(ctx context.Context, request []byte) (answer int, err error) {
	return t.invoke(ctx, t.method, request)
}

// invoke makes a call of any method.
func (t *target) invoke(ctx context.Context, method string, request []byte) (answer int, err error) {
	err = t.conn().Invoke(ctx, method, request, &answer, grpc.ForceCodecV2(wire{}))
	return answer, err
}

// conn is the next of the connections.
func (t *target) conn() *grpc.ClientConn {
	return t.conns[t.turn.Add(1)%uint32(len(t.conns))]
}

// end closes the connections and ends the server.
func (t *target) end() {
	t.close()
	t.server.stop()
}

func (t *target) close() {
	for _, conn := range t.conns {
		_ = conn.Close() // it is not needed any more
	}
}
