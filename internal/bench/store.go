package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/makeamends/amends/internal/redisproc"
)

// store is the Redis of a run.
type store struct {
	url     string // for the service
	others  string // for the baselines, which send other commands
	client  *redis.Client
	version string
	stop    func()
}

// usage is what a Redis has done so far.
type usage struct {
	cpu      time.Duration
	reads    float64 // times that it read from a connection: a request or a pipeline, thus a round trip
	commands float64 // those inside of scripts count as well
	in, out  float64 // bytes
	memory   float64 // bytes, now
	byName   map[string]float64
}

// StoreError says that there is no store to measure with, and what to do.
type StoreError struct{ err error }

// Error says what is wrong with the store, and what would be right.
func (e *StoreError) Error() string { return e.err.Error() }

// Unwrap gives the reason.
func (e *StoreError) Unwrap() error { return e.err }

// openStore starts a Redis with the settings of the deployment, but that it keeps
// nothing on the disk; or connects to one that was given, which must be empty unless
// the user says otherwise: it is filled with customers that never were.
func openStore(ctx context.Context, address string, notEmpty bool) (*store, error) {
	if address == "" {
		return startStore(ctx)
	}
	options, err := redis.ParseURL(address)
	if err != nil {
		return nil, &StoreError{fmt.Errorf("--redis must be redis://HOST:PORT or rediss://HOST:PORT, of one server: %w", err)}
	}
	logging.Disable() // what the driver would write to standard error comes back as an error, too
	s := &store{url: address, others: address, client: redis.NewClient(options)}
	s.stop = func() { _ = s.client.Close() }
	text, err := s.client.Info(ctx, "all").Result()
	if err == nil && strings.Contains(text, ":keys=") && !notEmpty {
		err = errors.New("it is not empty, and would be filled with made-up customers: name an empty one, or say --not-empty")
	}
	if err != nil {
		s.stop()
		return nil, &StoreError{fmt.Errorf("the Redis that --redis names: %w", err)}
	}
	s.version = redisproc.Fields(text)["redis_version"]
	return s, nil
}

func startStore(ctx context.Context) (*store, error) {
	server, err := redisproc.Start(ctx, redisproc.Config{Settings: redisproc.InMemory()})
	if errors.Is(err, redisproc.ErrMissing) {
		err = &StoreError{fmt.Errorf("%w\nOr name an empty Redis with --redis", err)}
	}
	if err != nil {
		return nil, err
	}
	text, err := server.Client().Info(ctx, "server").Result()
	if err != nil {
		server.Stop()
		return nil, err
	}
	all := server.Client().Options()
	others := url.URL{Scheme: "redis", User: url.UserPassword(all.Username, all.Password), Host: server.Addr()}
	return &store{url: server.URL(), others: others.String(), client: server.Client(), version: redisproc.Fields(text)["redis_version"], stop: server.Stop}, nil
}

// usageOf asks a Redis what it has done.
func usageOf(ctx context.Context, client *redis.Client) (u usage, err error) {
	text, err := client.Info(ctx, "all").Result()
	if err != nil {
		return u, fmt.Errorf("what Redis has done: %w", err)
	}
	u.byName = map[string]float64{}
	known := map[string]float64{}
	for name, value := range redisproc.Fields(text) {
		if command, ok := strings.CutPrefix(name, "cmdstat_"); ok {
			calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
			u.byName[command], _ = strconv.ParseFloat(calls, 64)
		} else {
			known[name], _ = strconv.ParseFloat(value, 64)
		}
	}
	u.cpu = time.Duration((known["used_cpu_user"] + known["used_cpu_sys"]) * float64(time.Second))
	u.reads, u.commands = known["total_reads_processed"], known["total_commands_processed"]
	u.in, u.out = known["total_net_input_bytes"], known["total_net_output_bytes"]
	u.memory = known["used_memory"]
	return u, nil
}

// since is what was done between two looks.
func (u usage) since(before usage) usage {
	d := usage{u.cpu - before.cpu, u.reads - before.reads, u.commands - before.commands, u.in - before.in, u.out - before.out, u.memory, maps.Clone(u.byName)}
	for name := range d.byName {
		if d.byName[name] -= before.byName[name]; d.byName[name] == 0 {
			delete(d.byName, name)
		}
	}
	return d
}
