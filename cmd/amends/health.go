package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/makeamends/amends/client"
)

func healthCommand(app *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "health",
		GroupID: groupCall,
		Short:   "Ask a running service whether it can be sent calls",
		Long: `Ask a running service whether it can be sent calls, by the standard gRPC health check.
Leaves with 0 if it can and with 5 if it cannot or does not answer; made for health checks
of containers.`,
		Example: `  amends health --server 127.0.0.1:7070`,
		Args:    cobra.NoArgs,
	}
	connection, format := addConnection(cmd), addFormat(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		answer, err := ask(connection, func(c *client.Client) (*healthv1.HealthCheckResponse, error) {
			ctx, cancel := context.WithTimeout(cmd.Context(), connection.timeout)
			defer cancel()
			return healthv1.NewHealthClient(c.Conn()).Check(ctx, &healthv1.HealthCheckRequest{})
		})
		if err != nil && exitCode(err) == exitInternal { // what answers there cannot be sent calls
			return &unready{err}
		}
		if err != nil {
			return err
		}
		if *format == "json" {
			if err := printJSON(app.stdout, answer); err != nil {
				return err
			}
		}
		if answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			return status.Error(codes.Unavailable, "the service cannot be sent calls: it is ending, or has lost its store")
		}
		if *format != "json" {
			_, err = fmt.Fprintln(app.stdout, "ready for calls")
		}
		return err
	}
	return cmd
}

// unready is why something that answers cannot be sent calls.
type unready struct{ cause error }

func (e *unready) Error() string { return e.cause.Error() }
func (e *unready) Unwrap() error { return e.cause }
