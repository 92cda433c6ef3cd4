package serve

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"strings"
	"time"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/sweep"
)

// Config says how to serve. The zero value serves an embedded store on the
// default address, with the default policy, and logs nothing.
type Config struct {
	// Listen is host:port of the gRPC listener; empty: 127.0.0.1:7070. Port 0
	// takes any free port.
	Listen string
	// OpsListen is host:port for /metrics, /healthz and /readyz; on a loopback
	// address also for profiles, channelz and the log level. Empty: none.
	OpsListen string
	// TLSCert and TLSKey are the files of the certificate of this server, with its
	// chain, and of its key, both PEM and watched for changes; empty: calls come in
	// the clear.
	TLSCert, TLSKey string
	// ClientCA is the file of the authorities (PEM) whose certificates prove who
	// calls, watched for changes. With it a client must show one, unless the access
	// file knows tokens too. Empty: no certificate is asked for.
	ClientCA string
	// Access is the access file, watched for changes: who may call what. Empty:
	// everybody who reaches Listen may do everything.
	Access string
	// Insecure allows Listen to be reached from other machines although
	// everything is sent in the clear.
	Insecure bool
	// Redis names the store, as ledger.Options.URL does; empty: embedded.
	Redis string
	// Wait is how many replicas must hold a change before it is answered.
	Wait int
	// Production refuses what keeps nothing, callers who are not known, and, unless
	// Insecure allows it, that they come in the clear.
	Production bool
	// Policy is the policy file, watched for changes; empty: the default policy.
	Policy string
	// Secret makes the customer keys, 32 bytes or more; nil: KeyFile.
	Secret []byte
	// KeyFile holds the secret. It may be empty for an embedded store only,
	// which makes up a secret of its own.
	KeyFile string
	// Sweep is the time between two looks at what is due, 10 milliseconds to a day;
	// 0: a second.
	Sweep time.Duration
	// Repair is the time between two walks over all customers that mend the
	// index of what is due; 0: 10 minutes.
	Repair time.Duration
	// Now is the clock of all decisions; nil: that of the store.
	Now func() time.Time
	// Level is the least level that Logger takes, for operators to change; nil: it
	// cannot be changed.
	Level *slog.LevelVar
	// Logger takes one line a call and what happens to the server; nil: nobody listens.
	Logger *slog.Logger
	// Version is that of the running binary, for metrics and traces.
	Version string
	// Pause is how long Stop goes on serving after it has said NOT_SERVING, so
	// that balancers notice; 0: not at all.
	Pause time.Duration
	// Drain is how long calls under way may take to end; 0: 10 seconds.
	Drain time.Duration
	// MostCalls bounds the calls under way at a time, whether they are carried out,
	// wait for their turn or for the store; how many are carried out at a time finds
	// itself below that. 0: 1,024.
	MostCalls int
	// Remember is how many MiB of customers are remembered, to change them in one
	// round trip; 0: 128, less: none.
	Remember int
	// Heartbeat is how long a watch says nothing at most; 0: 10 seconds.
	Heartbeat time.Duration
}

// Where the service listens unless told otherwise.
const (
	DefaultListen    = "127.0.0.1:7070"
	DefaultOpsListen = "127.0.0.1:7071"
)

const embedded = "embedded"

const defaultDrain = 10 * time.Second

// DefaultMostCalls is Config.MostCalls unless told otherwise.
const DefaultMostCalls = 1024

// DefaultRemember is Config.Remember unless told otherwise.
const DefaultRemember = ledger.DefaultCache >> 20

// mostRemember is a TiB: more than that is a slip. It must have a number of bytes.
const mostRemember = min(1<<20, math.MaxInt>>20)

// The time between two looks at what is due: with less a processor does nothing else,
// with more most deadlines are over before anybody looks.
const (
	leastSweep = 10 * time.Millisecond
	mostSweep  = 24 * time.Hour
)

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	if c.Listen == "" {
		c.Listen = DefaultListen
	}
	if c.Redis == "" {
		c.Redis = embedded
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Version == "" {
		c.Version = "development"
	}
	if c.Sweep == 0 {
		c.Sweep = sweep.DefaultEvery
	}
	if c.MostCalls == 0 {
		c.MostCalls = DefaultMostCalls
	}
	if c.Drain == 0 {
		c.Drain = defaultDrain
	}
	return c
}

// SettingsError says that the settings must change before the service can
// start; trying again as they are is of no use.
type SettingsError struct{ err error }

// Error says what is wrong and what would be right, one fault a line.
func (e *SettingsError) Error() string { return e.err.Error() }

// Unwrap gives the faults.
func (e *SettingsError) Unwrap() error { return e.err }

// settings marks an error as one of the settings.
func settings(err error) error {
	if err == nil {
		return nil
	}
	return &SettingsError{err}
}

// store is the kind of the store: its address may hold a password.
func (c Config) store() string {
	kind, _, _ := strings.Cut(c.Redis, "://")
	return kind
}

// check finds every fault of the settings that can be told without trying.
func (c Config) check() error {
	var faults []error
	if err := c.checkListen(); err != nil {
		faults = append(faults, err)
	}
	faults = append(faults, c.checkIdentity()...)
	if c.OpsListen != "" {
		if _, _, err := net.SplitHostPort(c.OpsListen); err != nil {
			faults = append(faults, fmt.Errorf("the address for operators must be HOST:PORT: %w", err))
		}
	}
	if c.Production && c.Redis == embedded {
		faults = append(faults, errors.New("the embedded store keeps nothing and is no store for production; name a Redis, such as redis://HOST:6379"))
	}
	if c.Drain < 0 {
		faults = append(faults, fmt.Errorf("the time to drain is %v and must not be negative", c.Drain))
	}
	if c.Sweep < leastSweep || c.Sweep > mostSweep {
		faults = append(faults, fmt.Errorf("the time between two looks at what is due (--sweep) must be %s at least and %.0fh at most", leastSweep, mostSweep.Hours()))
	}
	if c.MostCalls < leastInside {
		faults = append(faults, fmt.Errorf("the calls that may be under way (--most-calls) must be %d at least", leastInside))
	}
	if c.Remember > mostRemember {
		faults = append(faults, fmt.Errorf("the customers to remember (--remember) are %d MiB and must be %d at most", c.Remember, mostRemember))
	}
	if err := ledger.CheckURL(c.Redis); err != nil {
		faults = append(faults, err)
	}
	if c.Wait < 0 {
		faults = append(faults, errors.New("the number of replicas to wait for must not be negative"))
	}
	return settings(errors.Join(faults...))
}

// checkListen refuses to send customers' data in the clear over a network,
// unless the operator has said that this is meant.
func (c Config) checkListen() error {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("the address to listen on must be HOST:PORT: %w", err)
	}
	if c.encrypts() || c.Insecure || isLoopback(c.Listen) {
		return nil
	}
	return fmt.Errorf("%s can be reached from other machines, and calls would come in the clear: encrypt them with --tls-cert and --tls-key, "+
		"listen on 127.0.0.1, or allow it with --insecure where a proxy or the network keeps strangers out", c.Listen)
}

// encrypts reports whether calls come by TLS. Half of the settings is enough for
// it: what is missing is a fault, and never a reason to do without.
func (c Config) encrypts() bool { return c.TLSCert != "" || c.TLSKey != "" }

// checkIdentity finds what is wrong with the settings of TLS and callers.
func (c Config) checkIdentity() (faults []error) {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		faults = append(faults, errors.New("--tls-cert and --tls-key belong together: give both, or neither"))
	}
	if c.ClientCA != "" && !c.encrypts() {
		faults = append(faults, errors.New("--client-ca asks for certificates of callers, which come by TLS alone: give --tls-cert and --tls-key too"))
	}
	if c.encrypts() && c.Access == "" {
		faults = append(faults, errors.New("TLS alone lets everybody do everything: name the callers and their roles in a file, and give it with --access"))
	}
	if c.Production && c.Access == "" && !c.encrypts() {
		faults = append(faults, errors.New("in production callers must be known: name them and their roles in a file, and give it with --access"))
	}
	if c.Production && !c.encrypts() && !c.Insecure {
		faults = append(faults, errors.New("in production calls must be encrypted: give --tls-cert and --tls-key, "+
			"or --insecure where a proxy or the network keeps strangers out"))
	}
	return faults
}
