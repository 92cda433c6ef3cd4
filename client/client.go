package client

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	_ "google.golang.org/grpc/health" // round robin asks for it by name
	"google.golang.org/grpc/keepalive"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Config says where the service is and how to speak to it. Target is all that a
// service on this machine needs.
type Config struct {
	// Target is HOST:PORT, where the host may stand for several addresses in
	// the DNS; or several HOST:PORT with commas between; or any other target of
	// gRPC, such as dns://AUTHORITY/HOST:PORT.
	Target string
	// Insecure allows plaintext to a target on other machines. Without it they
	// are spoken to over TLS only; addresses of this machine are spoken to in
	// plaintext unless one of the following fields asks for TLS.
	Insecure bool
	// TLS asks for TLS, which CA and Cert do, too.
	TLS bool
	// CA is the file of the certificates (PEM) to trust in place of the
	// system's. This file and the next two are read for every new connection,
	// so that what was rotated counts.
	CA string
	// Cert and Key are the files (PEM) by which the caller identifies itself.
	Cert, Key string
	// Token gives the bearer token of a call; nil: none, or TokenFile. Tokens
	// are sent over TLS only.
	Token Token
	// TokenFile holds the token, and is read again when it is older than some
	// seconds.
	TokenFile string
	// Timeout bounds a call, repetitions included, in place of the times of
	// ServiceConfig; 0: those. A sooner deadline of the caller counts. Streams
	// last as long as they like.
	Timeout time.Duration
	// Patience is how long IngestAll tries an item at least that is refused for
	// the moment while others are dealt with, until one was given up; 0: 30
	// seconds, which is more than a shard of the store is away until its replica
	// has taken over, with the settings that Redis comes with.
	Patience time.Duration
	// Telemetry is added to the settings of traces and metrics, which go to the
	// global providers and carry the W3C trace context.
	Telemetry []otelgrpc.Option
	// Dial is added to the settings of the connection, for what is not thought
	// of here.
	Dial []grpc.DialOption
}

// Client calls the service. It may be used by any number of goroutines.
type Client struct {
	recoveryv1.RecoveryServiceClient
	recoveryv1.PolicyServiceClient

	conn     *grpc.ClientConn
	calls    *calls
	first    time.Duration // what a watch waits for its first word
	patience time.Duration // with an item of a bulk load
}

// patience is that of a client whose caller does not say.
const patience = 30 * time.Second

// New prepares the connection; the first call opens it. Its error, a
// *ConfigError, names every fault of the settings.
func New(c Config) (*Client, error) {
	faults := &faults{}
	settings, calls := c.settings(faults)
	target, resolver := c.target(faults)
	transport := c.transport(faults)
	if err := faults.err(); err != nil {
		return nil, err
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultServiceConfig(settings),
		grpc.WithDisableServiceConfig(), // of the DNS
		grpc.WithDefaultCallOptions(grpc.MaxRetryRPCBufferSize(mostRepeated)),
		// A server that died without a word is noticed after 20 seconds. The
		// service allows a question every 10.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 15 * time.Second, Timeout: 5 * time.Second, PermitWithoutStream: true}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithStatsHandler(telemetry(c.Telemetry)),
		grpc.WithStatsHandler(tries{}),
		grpc.WithChainUnaryInterceptor(calls.unary),
		grpc.WithChainStreamInterceptor(callStream),
	}
	if resolver != nil {
		options = append(options, grpc.WithResolvers(resolver))
	}
	if token := c.token(); token != nil {
		// Not for the health checks of gRPC, which would wait without a word.
		options = append(options, grpc.WithDefaultCallOptions(grpc.PerRPCCredentials(token)))
	}
	conn, err := grpc.NewClient(target, append(options, c.Dial...)...)
	if err != nil {
		return nil, &ConfigError{Faults: []Fault{{Field: "Target", Text: err.Error()}}}
	}
	return &Client{
		RecoveryServiceClient: recoveryv1.NewRecoveryServiceClient(conn),
		PolicyServiceClient:   recoveryv1.NewPolicyServiceClient(conn),
		conn:                  conn,
		calls:                 calls,
		first:                 calls.times.of(recoveryv1.RecoveryService_GetCase_FullMethodName),
		patience:              cmp.Or(c.Patience, patience),
	}, nil
}

// mostRepeated is how large a request may be that gRPC keeps for a repetition:
// more than the service takes.
const mostRepeated = 2 << 20

// Close ends the connection and every call under way: those fail with ErrClosed,
// and so does every later one.
func (c *Client) Close() error {
	defer c.calls.end()
	return c.conn.Close()
}

// Conn is the connection, for other services on the same server such as its
// health check.
func (c *Client) Conn() grpc.ClientConnInterface { return c.conn }

// ConfigError is all that is wrong with a Config.
type ConfigError struct{ Faults []Fault }

// Fault is one thing wrong with a Config.
type Fault struct {
	Field string // of Config
	Text  string // what is wrong and what would be right
}

// Error says what is wrong, one fault a line.
func (e *ConfigError) Error() string {
	lines := make([]error, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = fmt.Errorf("%s: %s", f.Field, f.Text)
	}
	return errors.Join(lines...).Error()
}

// faults collects what is wrong.
type faults struct{ found []Fault }

func (f *faults) add(field, text string, args ...any) {
	f.found = append(f.found, Fault{field, fmt.Sprintf(text, args...)})
}

func (f *faults) err() error {
	if len(f.found) == 0 {
		return nil
	}
	return &ConfigError{f.found}
}
