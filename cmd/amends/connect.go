package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// defaultServer is where `amends serve` listens unless told otherwise.
const defaultServer = "127.0.0.1:7070"

// A call that found the service unavailable is tried so often, again after about firstPause and then after twice as long each time.
const (
	tries      = 4
	firstPause = 100 * time.Millisecond
)

// connection holds the flags by which a command finds the service.
type connection struct {
	server   string
	timeout  time.Duration
	ca       string
	insecure bool
}

// addConnection adds the flags that every command that calls the service has.
func addConnection(cmd *cobra.Command) *connection {
	c := &connection{}
	flags := cmd.Flags()
	flags.StringVar(&c.server, "server", defaultServer, "`ADDRESS` of the service, HOST:PORT")
	c.timeout = 10 * time.Second
	flags.Var(spanValue{&c.timeout}, "timeout", "how long one call may take, retries included")
	flags.StringVar(&c.ca, "ca", "", "`FILE` of the certificates (PEM) to trust in place of the system's; asks for TLS")
	flags.BoolVar(&c.insecure, "insecure", false, "speak plaintext to a server that is not on this machine")
	return c
}

// dial prepares the connection; the first call opens it.
func (c *connection) dial() (*grpc.ClientConn, error) {
	if c.timeout <= 0 {
		return nil, &usageError{err: errors.New("--timeout must be more than 0")}
	}
	if !isAddress(c.server) {
		return nil, &usageError{err: fmt.Errorf("--server %s: write HOST:PORT, such as %s", c.server, defaultServer)}
	}
	transport, err := c.credentials()
	if err != nil {
		return nil, &usageError{err: err}
	}
	conn, err := grpc.NewClient(c.server, grpc.WithTransportCredentials(transport), grpc.WithDisableRetry(),
		grpc.WithUserAgent("amends/"+release))
	if err != nil {
		return nil, &usageError{err: fmt.Errorf("--server %s: %w", c.server, err)}
	}
	return conn, nil
}

// call runs one call within the timeout and says of its error whom it was made to. again are the flags that repeat it, if it writes.
func (c *connection) call(ctx context.Context, again string, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if err := persist(ctx, do); err != nil {
		return &callError{err: err, server: c.server, again: again}
	}
	return nil
}

// persist repeats a call that found the service unavailable. Every write carries an id by which the service knows a repetition, so
// repeating is safe even when the first try got through. When time runs out meanwhile the error is the one that was answered last:
// it tells more than that it is late.
func persist(ctx context.Context, do func(context.Context) error) error {
	var last error
	for n := range tries {
		if n > 0 {
			pause := firstPause << (n - 1)
			if !wait(ctx, pause/2+rand.N(pause)) { // spread, so that callers do not come back all at once
				break
			}
		}
		err := do(ctx)
		if last != nil && status.Code(err) == codes.DeadlineExceeded {
			break
		}
		if last = err; status.Code(err) != codes.Unavailable {
			break
		}
	}
	if last != nil && errors.Is(ctx.Err(), context.Canceled) {
		return status.FromContextError(ctx.Err()).Err()
	}
	return last
}

// wait is false if ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// credentials never fall back: plaintext is spoken on the own machine, or where --insecure says so.
func (c *connection) credentials() (credentials.TransportCredentials, error) {
	switch {
	case c.ca != "" && c.insecure:
		return nil, errors.New("--ca asks for TLS and --insecure for plaintext: leave one out")
	case c.insecure, c.ca == "" && isLoopback(c.server):
		return insecure.NewCredentials(), nil
	case c.ca == "":
		return credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13}), nil
	}
	pem, err := os.ReadFile(c.ca)
	if err != nil {
		return nil, fmt.Errorf("--ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--ca: %s holds no certificate in PEM form", c.ca)
	}
	return credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool}), nil
}

// isAddress tells an address with a port, or one that says how it is to be understood, such as unix:/run/amends.
func isAddress(address string) bool {
	if strings.HasPrefix(address, "unix") || strings.Contains(address, "://") {
		return true
	}
	_, port, err := net.SplitHostPort(address)
	return err == nil && port != ""
}

// isLoopback tells an address on this machine. A name other than localhost is not trusted to stay here.
func isLoopback(address string) bool {
	if strings.HasPrefix(address, "unix:") {
		return true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// ask opens a connection for one call that changes nothing.
func ask[A any](ctx context.Context, c *connection, do func(context.Context, grpc.ClientConnInterface) (A, error)) (answer A, err error) {
	conn, err := c.dial()
	if err != nil {
		return answer, err
	}
	defer conn.Close()
	err = c.call(ctx, "", func(ctx context.Context) (err error) {
		answer, err = do(ctx, conn)
		return err
	})
	return answer, err
}
