package bench

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/makeamends/amends/internal/telemetry"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// bare is what is left of the service without its work: the same libraries, asked
// for as much. A call has its trace and measurement, a line of the log, and one
// script in Redis to which as many bytes are sent; nothing is checked, remembered or
// decided.
type bare struct {
	client *redis.Client
	log    *slog.Logger
	state  string
	event  string
	answer *wrapperspb.BytesValue
}

const (
	bareEvent  = 200 // so many of the bytes go into the stream of events
	bareStream = "bare"
	bareKey    = "bare:" // of a customer
)

// asLedger has the driver of Redis do what the ledger has it do for a call: a deadline
// for each command, by the older of the protocols, and no second attempt.
func asLedger(o *redis.Options) {
	o.Protocol, o.MaxRetries, o.ContextTimeoutEnabled = 2, -1, true
}

func newBare(client *redis.Client, b Baseline) *bare {
	event := strings.Repeat("e", bareEvent)
	const digits = 3 // more than none, of the length of the state
	around := digits + sent("evalsha", bareScript.Hash(), "2", bareKey+newWork(1, 1).known(), bareStream, "", event)
	return &bare{
		client: client,
		log:    slog.New(telemetry.Traced(slog.NewJSONHandler(os.Stderr, nil))),
		state:  strings.Repeat("s", max(0, b.Sends-around)),
		event:  event,
		answer: b.answer(),
	}
}

// sent is how many bytes a command of Redis has on its way.
func sent(args ...string) int {
	n := len(fmt.Sprintf("*%d\r\n", len(args)))
	for _, arg := range args {
		n += len(fmt.Sprintf("$%d\r\n%s\r\n", len(arg), arg))
	}
	return n
}

var bareScript = redis.NewScript(`redis.call('XADD', KEYS[2], 'MAXLEN', '~', '10000', '*', 'e', ARGV[2])
redis.call('HSET', KEYS[1], 's', ARGV[1])
return 'as long as a version'`)

func (b *bare) call(ctx context.Context, decode func(any) error) (any, error) {
	begin := time.Now()
	var in recoveryv1.ReportFailureRequest
	if err := decode(&in); err != nil {
		return nil, err
	}
	if err := bareScript.Run(ctx, b.client, []string{bareKey + in.GetEvent().GetCustomerId(), bareStream}, b.state, b.event).Err(); err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	b.log.LogAttrs(ctx, slog.LevelInfo, "call", slog.String("method", baselineMethod), slog.String("code", codes.OK.String()), slog.Duration("took", time.Since(begin)))
	return b.answer, nil
}
