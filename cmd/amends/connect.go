package main

import (
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"

	"github.com/makeamends/amends/client"
)

// defaultServer is where `amends serve` listens unless told otherwise.
const defaultServer = "127.0.0.1:7070"

// connection holds the flags by which a command finds the service.
type connection struct {
	server    string
	timeout   time.Duration
	ca        string
	cert, key string
	tokenFile string
	insecure  bool
	command   string // that calls, such as "amends report"; names the span of a call
}

// addConnection adds the flags that every command that calls the service has.
func addConnection(cmd *cobra.Command) *connection {
	c := &connection{command: "amends " + cmd.Name()}
	flags := cmd.Flags()
	flags.StringVar(&c.server, "server", defaultServer, "`ADDRESS` of the service, HOST:PORT; several with commas between")
	c.timeout = 10 * time.Second
	flags.Var(spanValue{&c.timeout}, "timeout", "how long one call may take, retries included")
	flags.StringVar(&c.ca, "ca", "", "`FILE` of the certificates (PEM) to trust in place of the system's; asks for TLS")
	flags.StringVar(&c.cert, "cert", "", "`FILE` of the certificate (PEM) by which the service knows the caller; goes with --key")
	flags.StringVar(&c.key, "key", "", "`FILE` of the key (PEM) of that certificate")
	flags.StringVar(&c.tokenFile, "token-file", "", "`FILE` of the token by which the service knows the caller; sent over TLS only")
	flags.BoolVar(&c.insecure, "insecure", false, "speak plaintext to a server that is not on this machine")
	return c
}

// dial prepares the connection; the first call opens it.
func (c *connection) dial() (*client.Client, error) {
	if c.timeout <= 0 {
		return nil, &usageError{err: errors.New("--timeout must be more than 0")}
	}
	opened, err := client.New(client.Config{
		Target: c.server, CA: c.ca, Cert: c.cert, Key: c.key, TokenFile: c.tokenFile, Insecure: c.insecure, Timeout: c.timeout,
		Dial: []grpc.DialOption{
			grpc.WithUserAgent("amends/" + release), grpc.WithChainUnaryInterceptor(traced(c.command)),
			// Whoever sits there wants to know now that nobody answers, and of a service that does not serve what it says itself.
			grpc.WithDefaultCallOptions(grpc.WaitForReady(false)), grpc.WithDisableHealthCheck(),
		},
	})
	if err != nil {
		return nil, &usageError{err: inFlags(err)}
	}
	return opened, nil
}

// connectionFlags are the flags of the settings of a client.
var connectionFlags = map[string]string{
	"Target": "--server", "CA": "--ca", "Cert": "--cert", "TokenFile": "--token-file", "Insecure": "--insecure", "Timeout": "--timeout",
}

// inFlags says what is wrong with the settings of a client in terms of the command line.
func inFlags(err error) error {
	var wrong *client.ConfigError
	if !errors.As(err, &wrong) {
		return err
	}
	lines := make([]string, len(wrong.Faults))
	for i, fault := range wrong.Faults {
		lines[i] = connectionFlags[fault.Field] + ": " + fault.Text
	}
	return errors.New(strings.Join(lines, "\n"))
}

// named says of the error of a call whom it was made to. again are the flags that repeat the call, if it writes.
func (c *connection) named(err error, again string) error {
	if err == nil {
		return nil
	}
	return &callError{err: err, server: c.server, again: again}
}

// ask opens a connection for one call that changes nothing.
func ask[A any](c *connection, do func(*client.Client) (A, error)) (answer A, err error) {
	opened, err := c.dial()
	if err != nil {
		return answer, err
	}
	defer opened.Close()
	answer, err = do(opened)
	return answer, c.named(err, "")
}
