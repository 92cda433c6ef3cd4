package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/serve"
	"github.com/makeamends/amends/internal/sweep"
	"github.com/makeamends/amends/internal/telemetry"
)

// How long a server that balancers may send calls to goes on after it has said that it is ending.
const balancerPause = time.Second

func serveCommand(app *app) *cobra.Command {
	var settings serve.Config
	level := oneOf{known: []string{"debug", "info", "warn", "error"}}
	cmd := &cobra.Command{
		Use:        "serve",
		GroupID:    groupServe,
		SuggestFor: []string{"start", "server", "run"},
		Short:      "Run the service",
		Long: `Run the service until it is interrupted (Ctrl-C or SIGTERM); calls under way are then
finished first.

Without any flag it keeps its customers in an embedded store that ends with the process:
enough to try everything out, nothing to rely on. With --redis it keeps them in Redis, and
needs a key file, whose secret turns customer ids into the keys under which they are kept.
Whoever has the store but not the secret cannot tell whose data it is; when the secret is
lost, so is everything that was stored under it.

It listens on loopback in the clear, for whoever is there. To be reached by others it needs
--tls-cert and --tls-key, and --access: a file that says who may call what, by certificates
(--client-ca) or by tokens. These files and the policy are taken over when they change.

Traces are exported when OTEL_EXPORTER_OTLP_ENDPOINT is set; the other standard OTEL_*
variables hold too. Metrics for Prometheus are on the address for operators, together with
/healthz (the process lives) and /readyz (it can be sent calls); they are sent over OTLP as
well when OTEL_METRICS_EXPORTER=otlp. While that address is a loopback one it also has the
log level, to be changed while the service runs, profiles (/debug/pprof/) and channelz.`,
		Example: `  # try it out
  amends serve

  # keep the customers in Redis
  (umask 077; set -C; head -c 32 /dev/urandom | base64 > amends.key)
  amends serve --redis redis://127.0.0.1:6379 --key-file amends.key

  # with a policy of your own, taken over whenever the file changes
  amends policy show > policy.yaml
  amends serve --policy policy.yaml

  # callers must show a certificate, and may do what a file says
  amends serve --tls-cert server.crt --tls-key server.key --client-ca ca.crt --access access.yaml

  # a cluster in which one replica must hold every change before it is answered
  amends serve --production --redis redis+cluster://10.0.0.1:6379,10.0.0.2:6379 --redis-wait 1 --key-file amends.key --tls-cert server.crt --tls-key server.key --client-ca ca.crt --access access.yaml`,
		Args: cobra.NoArgs,
	}
	flags := cmd.Flags()
	flags.StringVar(&settings.Listen, "listen", serve.DefaultListen, "`ADDRESS` for calls (gRPC), HOST:PORT")
	flags.StringVar(&settings.OpsListen, "ops-listen", serve.DefaultOpsListen,
		"`ADDRESS` for operators: /metrics, /healthz, /readyz, and on loopback /loglevel, /debug/pprof/ and channelz;\nempty: none")
	flags.StringVar(&settings.TLSCert, "tls-cert", "", "`FILE` of the certificate of this server (PEM, with its chain), watched for changes; goes with --tls-key")
	flags.StringVar(&settings.TLSKey, "tls-key", "", "`FILE` of the key of that certificate (PEM), watched for changes")
	flags.StringVar(&settings.ClientCA, "client-ca", "",
		"`FILE` of the authorities (PEM) whose certificates prove who calls, watched for changes;\nempty: no certificate is asked for")
	flags.StringVar(&settings.Access, "access", "",
		"`FILE` that says who may call what, watched for changes; goes with TLS; empty: everybody may do everything")
	flags.BoolVar(&settings.Insecure, "insecure", false, "listen in the clear on an address that other machines reach")
	flags.StringVar(&settings.Redis, "redis", "embedded",
		"`STORE`: embedded, redis://HOST:PORT, rediss://… (TLS), redis+cluster://HOST:PORT,HOST:PORT or\nredis+sentinel://HOST:PORT,HOST:PORT/MASTER")
	flags.IntVar(&settings.Wait, "redis-wait", 0,
		"how many `REPLICAS` must hold a change before it is answered; 1 survives the crash of any one Redis")
	flags.StringVar(&settings.Policy, "policy", "", "`FILE` of the policy, watched for changes; empty: the default policy")
	flags.StringVar(&settings.KeyFile, "key-file", "",
		"`FILE` with the secret of the customer keys, 32 bytes or more; required unless the store is embedded")
	flags.BoolVar(&settings.Production, "production", false,
		"refuse to start on a store that keeps nothing or may lose what it keeps, without --access, and without TLS or --insecure")
	flags.Var(&level, "log-level", "`LEVEL` from which on to log: debug, info (one line a call), warn or error\n(default: info; warn where a terminal is watched)")
	registerChoice(cmd, "log-level", level.known)
	settings.Sweep = sweep.DefaultEvery
	flags.Var(spanValue{&settings.Sweep}, "sweep", "how often to look for deadlines that come near or have gone by, in every replica; 10ms to 24h")
	settings.Drain = 10 * time.Second
	flags.IntVar(&settings.MostCalls, "most-calls", serve.DefaultMostCalls,
		"`CALLS` under way at most, waiting ones too; how many are carried out at a time finds itself, and what is too\nmuch is refused with RESOURCE_EXHAUSTED")
	remember := uint(serve.DefaultRemember)
	flags.UintVar(&remember, "remember", remember,
		"`MIB` of customers to remember, each of some 1,700 with an open case or 9,000 without: who is remembered is\nchanged in one round trip to Redis instead of two; taken as it fills, beside what GOMEMLIMIT counts; 0: none")
	flags.Var(spanValue{&settings.Drain}, "drain", "how long calls under way may take to end when the service is stopped")
	_ = cmd.MarkFlagFilename("policy", "yaml", "yml")
	_ = cmd.MarkFlagFilename("access", "yaml", "yml")
	for _, file := range []string{"key-file", "tls-cert", "tls-key", "client-ca"} {
		_ = cmd.MarkFlagFilename(file)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		settings.Version = release
		settings.Logger, settings.Level = app.logger(level.value)
		for _, warning := range app.warnings {
			settings.Logger.Warn(warning)
		}
		if settings.Drain == 0 {
			settings.Drain = time.Nanosecond // at once: 0 would stand for the default
		}
		settings.Sweep, settings.MostCalls = stated(settings.Sweep), stated(settings.MostCalls)
		settings.Remember = toRemember(remember)
		if settings.Redis != "embedded" {
			settings.Pause = balancerPause
		}
		return app.serve(cmd.Context(), settings)
	}
	return cmd
}

// stated is what the service is told of a number: 0 would stand for its default, and to it less than nothing is none, or too little.
func stated[N int | time.Duration](n N) N {
	if n == 0 {
		return -1
	}
	return n
}

// toRemember is what the service is told of that; nothing wraps around.
func toRemember(mib uint) int { return stated(int(min(mib, math.MaxInt))) }

// logger writes JSON lines with the trace that they belong to, or plain lines if a person reads them. What it leaves out can be
// changed while it is used.
func (a *app) logger(level string) (*slog.Logger, *slog.LevelVar) {
	watched := a.isTerminal(a.stderr)
	if level == "" {
		level = "info"
		if watched {
			level = "warn"
		}
	}
	least := new(slog.LevelVar)
	_ = least.UnmarshalText([]byte(level)) // the flag takes nothing else
	if watched {
		return slog.New(&plainLog{to: a.stderr, least: least}), least
	}
	return slog.New(telemetry.Traced(slog.NewJSONHandler(a.stderr, &slog.HandlerOptions{Level: least}))), least
}

// serve runs the service until the context ends or the service does.
func (a *app) serve(ctx context.Context, settings serve.Config) error {
	collectLess(a.getenv)
	otel.SetErrorHandler(telemetry.Lost(settings.Logger))
	server, err := serve.Start(ctx, settings)
	if err != nil {
		return refusedStart(ctx, err)
	}
	if a.isTerminal(a.stderr) {
		a.greet(server)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	if a.isTerminal(a.stderr) {
		fmt.Fprintln(a.stderr, "ending: calls under way are finished first")
	}
	return server.Stop(context.WithoutCancel(ctx))
}

// refusedStart tells faults of the settings from a store that is not there, or whose time is another one, as yet.
func refusedStart(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return nil // interrupted while it was starting
	case errors.As(err, new(*serve.SettingsError)):
		return &usageError{err: err, command: "amends serve"}
	case errors.As(err, new(*ledger.Unavailable)), errors.As(err, new(*ledger.ClockError)):
		return err
	default: // a store that is there and cannot be used as it is set up, or with this secret
		return &usageError{err: err, command: "amends serve"}
	}
}

// collectLess lets garbage grow to eight times what lives, unless GOGC says otherwise: little lives, since of the
// customers that are remembered (--remember) only an index is part of it, and with Go's default of once many calls a
// second would wait for a collection.
func collectLess(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(800)
	}
}

// greet tells a person where the service is; a machine reads it in the log, and both read there what else to know.
func (a *app) greet(server *serve.Server) {
	line := "amends is ready for calls on " + server.Addr()
	if ops := server.OpsAddr(); ops != "" {
		line += "; metrics and health on http://" + ops
	}
	fmt.Fprintln(a.stderr, line)
}
