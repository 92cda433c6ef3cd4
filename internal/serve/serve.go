package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"

	"github.com/makeamends/amends/internal/auth"
	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/rpc"
	"github.com/makeamends/amends/internal/telemetry"
	"github.com/makeamends/amends/internal/told"
	"github.com/makeamends/amends/internal/watch"
)

// Server is a running service. Stop it, or wait for it to end.
type Server struct {
	config      Config
	telemetry   *telemetry.Telemetry
	ledger      *ledger.Ledger
	rules       *rulebook
	service     *rpc.Service
	tail        *ledger.Tail
	hub         *watch.Hub
	guard       *auth.Guard
	health      *health.Server
	grpc        *grpc.Server
	admission   *admission
	open        bound // calls and streams
	connections bound
	watches     bound
	loads       bound // streams of Ingest
	healthWatch bound // watches of the health
	probes      probes
	listener    net.Listener
	ops         *http.Server
	inside      *inside
	opsListener net.Listener
	opsAddr     string
	methods     map[string]*telemetry.Method // that are offered, by gRPC's name
	otherMethod *telemetry.Method            // all that are not
	ready       atomic.Bool                  // what setServing said last
	ending      atomic.Bool
	trouble     atomic.Pointer[string] // why the store could last not be used
	told        told.Log               // of watchStore alone
	refused     string                 // why the policy file as it was last read is not in force; of watchPolicy alone
	transport   transport              // how calls come in
	accessText  []byte                 // the access file that is in force; of watchAccess alone

	streams    context.Context // ends when streams must
	endStreams context.CancelFunc
	background context.Context // ends when the loops must
	endLoops   context.CancelFunc
	loops      sync.WaitGroup

	stop  sync.Once
	ended chan struct{}
	err   error // why it ended; written before ended is closed
}

// Start serves until Stop. When it returns without an error the service is
// ready and both listeners are open. The context bounds the start alone. The
// error says what to change; nothing is left running then.
func Start(ctx context.Context, c Config) (*Server, error) {
	c = c.withDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	s := &Server{config: c, ended: make(chan struct{})}
	for b, most := range map[*bound]int64{
		&s.open: mostOpen, &s.connections: mostConnections, &s.watches: mostStreams, &s.loads: mostStreams, &s.healthWatch: mostStreams,
	} {
		b.most.Store(most)
	}
	s.probes.most = mostProbes
	s.admission = newAdmission(c.MostCalls, runtime.GOMAXPROCS(0))
	s.streams, s.endStreams = context.WithCancel(context.Background())
	s.background, s.endLoops = context.WithCancel(context.Background())
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.release(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// start is the wiring: telemetry, files, listeners, store, service. The store
// comes after whatever else can be refused, so that it is left as it was then.
func (s *Server) start(ctx context.Context) (err error) {
	if s.telemetry, err = telemetry.Setup(ctx, s.config.Version); err != nil {
		return err
	}
	active, err := s.loadPolicy()
	if err := errors.Join(err, s.openTransport(), s.openGuard(ctx)); err != nil {
		return settings(err)
	}
	if err := s.listen(ctx); err != nil {
		return err
	}
	if err := s.openLedger(ctx); err != nil {
		return err
	}
	if s.rules, err = s.openRules(ctx, active); err != nil {
		return err
	}
	s.openHub()
	customers := inOrder(s.ledger, s.telemetry)
	s.service, err = rpc.New(rpc.Config{
		Ledger:   customers,
		Rules:    s.rules,
		Shelf:    s.rules,
		Now:      s.ledger.Now,
		Tracer:   s.telemetry.Tracer(),
		Watching: s.hub,
		Admit:    s.admitItem,
		Failed:   s.logItems,
	})
	if err != nil {
		return err
	}
	s.register(s.service)
	s.measure()
	s.lookAtBudgets(ctx)
	s.serveOps()
	s.setServing(true)
	s.config.Logger.Info("ready for calls", "address", s.Addr(), "ops", s.opsAddr, "store", s.config.store(),
		"policy", active.Version, "version", s.config.Version)
	s.warnOfStrangers()
	s.loops.Go(s.watchStore)
	s.loops.Go(s.tellShed)
	s.loops.Go(func() { s.service.Prepare(s.background, active.Rules) })
	s.loops.Go(s.watchPolicy)
	s.loops.Go(s.watchAccess)
	s.loops.Go(s.watchTransport)
	s.loops.Go(func() { s.sweep(customers) })
	go s.serve()
	return nil
}

// openLedger connects to the store.
func (s *Server) openLedger(ctx context.Context) error {
	secret, err := s.config.secret()
	if err != nil {
		return settings(err)
	}
	s.ledger, err = ledger.Open(ctx, ledger.Options{
		URL: s.config.Redis, Secret: secret, Wait: s.config.Wait, Cache: s.config.Remember << 20, Production: s.config.Production,
		Now: s.config.Now, Logger: s.config.Logger, Observe: s.observe(), Meter: s.telemetry.Metrics,
	})
	return err
}

// register offers the service, health checks and reflection.
func (s *Server) register(service *rpc.Service) {
	s.health = health.NewServer()
	s.grpc = grpc.NewServer(s.options(service)...)
	on := rpc.Tolerant(s.grpc)
	service.Register(on)
	healthv1.RegisterHealthServer(on, s.health)
	reflectionv1.RegisterServerReflectionServer(on, reflection.NewServerV1(reflection.ServerOptions{Services: s.grpc}))
}

// listen opens both listeners. Who comes before the service is ready waits.
func (s *Server) listen(ctx context.Context) (err error) {
	var open net.ListenConfig
	var faults []error
	if s.listener, err = open.Listen(ctx, "tcp", s.config.Listen); err != nil {
		faults = append(faults, fmt.Errorf("listen for calls: %w; choose another address with --listen, or end what listens there", err))
	}
	if s.config.OpsListen != "" {
		if s.opsListener, err = open.Listen(ctx, "tcp", s.config.OpsListen); err != nil {
			advice := "choose another address with --ops-listen, or end what listens there"
			if _, port, _ := net.SplitHostPort(s.config.OpsListen); s.listener != nil && strings.HasSuffix(s.listener.Addr().String(), ":"+port) {
				advice = "--listen takes that port too: give --ops-listen another"
			}
			faults = append(faults, fmt.Errorf("listen for operators: %w; %s", err, advice))
		} else {
			s.opsAddr = s.opsListener.Addr().String()
		}
	}
	return settings(errors.Join(faults...))
}

// serve answers calls until the server is stopped.
func (s *Server) serve() {
	err := s.grpc.Serve(guarded{s.listener, &s.connections})
	if err != nil { // nobody stopped it
		s.finish(context.Background(), fmt.Errorf("serve calls: %w", err))
	}
}

// Addr is the address of the gRPC listener, with the port that was taken.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// OpsAddr is the address of the listener for operators; empty when there is none.
func (s *Server) OpsAddr() string { return s.opsAddr }

// Wait returns when the server has ended, with the reason if nobody stopped it.
func (s *Server) Wait() error {
	<-s.ended
	return s.err
}
