package bench

import (
	"context"
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

// bareEvent is how many of the bytes go into the stream of events.
const bareEvent = 200

func newBare(client *redis.Client, b Baseline) *bare {
	return &bare{
		client: client,
		log:    slog.New(telemetry.Traced(slog.NewJSONHandler(os.Stderr, nil))),
		state:  strings.Repeat("s", max(0, b.Sends-bareEvent)),
		event:  strings.Repeat("e", bareEvent),
		answer: b.answer(),
	}
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
	if err := bareScript.Run(ctx, b.client, []string{"bare:" + in.GetEvent().GetCustomerId(), "bare"}, b.state, b.event).Err(); err != nil {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	b.log.LogAttrs(ctx, slog.LevelInfo, "call", slog.String("method", baselineMethod), slog.String("code", codes.OK.String()), slog.Duration("took", time.Since(begin)))
	return b.answer, nil
}
