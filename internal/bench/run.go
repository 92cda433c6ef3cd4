package bench

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Run is one run of the measurement: what it is to do, and what it has started.
type Run struct {
	Program   string        // that children run: this one
	Redis     string        // URL of the store; empty: a private one
	NotEmpty  bool          // the store may hold something
	Rounds    int           // in each of which everything that is compared has its turn
	Slice     time.Duration // such a turn
	Callers   int           // of a closed loop
	Customers int           // who are known
	Full      bool          // everything, rather than what a few minutes allow
	Tell      func(Progress)

	dir, keyFile string
	sink         *grpc.Server
	collector    string // address at which traces are taken
	store        *store
	service      *service
	echo, plain  *target
	work         *work
	answer       int     // bytes of an answer of the service, on average
	request      int     // bytes
	perCustomer  float64 // bytes of Redis for each of the customers made known
	progress     schedule
}

// Part is one section of the measurement.
type Part struct {
	Name  string
	About string                   // one line, for the help
	Long  bool                     // only where everything is measured, or it is asked for by name
	Lasts func(*Run) time.Duration // about; nil: a moment
	Run   func(context.Context, *Run) (Section, error)
}

// Progress says what is being done.
type Progress struct {
	Part, What string
	Step, Of   int           // 0 of 0 where nothing is counted
	Left       time.Duration // about, until the end of the run
}

// Measure carries the parts out, one after the other, and ends what was started
// for it. What was found before a fault, or before ctx ended, is in the report.
func (r *Run) Measure(ctx context.Context, version string, parts []Part) (Report, error) {
	report := Report{Machine: ThisMachine(version), Began: time.Now().UTC().Truncate(time.Second), Full: r.Full}
	err := r.begin()
	defer r.end()
	for i, part := range parts {
		if err != nil {
			break
		}
		var section Section
		r.progress.next(r, parts[i:])
		if section, err = part.Run(ctx, r); err != nil {
			err = fmt.Errorf("%s: %w", part.Name, err)
		}
		if section.Name = part.Name; len(section.Ratios)+len(section.Figures)+len(section.Tables) > 0 {
			report.Sections = append(report.Sections, section)
		}
	}
	if r.store != nil {
		report.Machine.Redis = r.store.version
	}
	if err != nil {
		report.Broken = err.Error()
		if ctx.Err() != nil {
			report.Broken = "interrupted"
		}
	}
	report.Took = time.Since(report.Began).Round(time.Second).Seconds()
	return report, err
}

// schedule knows how much of a run is left.
type schedule struct {
	part  string
	until time.Time     // the part is to last
	then  time.Duration // the parts after it
}

// next turns to the first of these parts.
func (s *schedule) next(r *Run, parts []Part) {
	lasts := func(p Part) time.Duration {
		if p.Lasts == nil {
			return 0
		}
		return p.Lasts(r)
	}
	*s = schedule{part: parts[0].Name, until: time.Now().Add(lasts(parts[0]))}
	if r.store == nil {
		s.until = s.until.Add(preparing)
	}
	for _, p := range parts[1:] {
		s.then += lasts(p)
	}
}

// preparing is about how long it takes to start servers and make customers known.
const preparing = 15 * time.Second

// byFull chooses by whether everything is to be measured.
func (r *Run) byFull(short, full time.Duration) time.Duration {
	if r.Full {
		return full
	}
	return short
}

// say tells what is being done.
func (r *Run) say(what string, step, of int) {
	if r.Tell != nil {
		r.Tell(Progress{r.progress.part, what, step, of, max(0, time.Until(r.progress.until)) + r.progress.then})
	}
}

// begin makes what every part needs: a directory with a key file, a collector of
// traces, and what is to be sent.
func (r *Run) begin() (err error) {
	r.work = newWork(r.Customers)
	if r.dir, err = os.MkdirTemp("", "amends-bench-"); err != nil {
		return err
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	r.keyFile = filepath.Join(r.dir, "amends.key")
	if err := os.WriteFile(r.keyFile, []byte(base64.StdEncoding.EncodeToString(secret)), 0o600); err != nil {
		return err
	}
	return r.collect()
}

// collect takes traces and forgets them.
func (r *Run) collect() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	r.collector = listener.Addr().String()
	r.sink = grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		if err := s.RecvMsg(new(emptypb.Empty)); err != nil {
			return err
		}
		return s.SendMsg(new(emptypb.Empty))
	}))
	go func() { _ = r.sink.Serve(listener) }() // it ends with the run
	return nil
}

// end ends all that was started.
func (r *Run) end() {
	for _, t := range []*target{r.echo, r.plain, r.serviceTarget()} {
		if t != nil {
			t.end()
		}
	}
	if r.store != nil {
		r.store.stop()
	}
	if r.sink != nil {
		r.sink.Stop()
	}
	_ = os.RemoveAll(r.dir)
}

func (r *Run) serviceTarget() *target {
	if r.service == nil {
		return nil
	}
	return r.service.target
}

// crew starts the store, the service with its customers, and the baselines; once.
func (r *Run) crew(ctx context.Context) (err error) {
	if r.plain != nil {
		return nil
	}
	if err := r.needStore(ctx); err != nil {
		return err
	}
	r.say("starting the service", 0, 0)
	if r.service, err = r.startService(ctx, r.store.url); err != nil {
		return err
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	for _, b := range []struct {
		to    **target
		name  string
		redis []string
	}{{&r.echo, "echo", nil}, {&r.plain, "plain", []string{"--redis", r.store.plain}}} {
		if *b.to, err = r.startBaseline(ctx, b.name, b.redis); err != nil {
			return err
		}
	}
	return r.acquaint(ctx, r.plain)
}

// needStore has a store ready; once.
func (r *Run) needStore(ctx context.Context) (err error) {
	if r.store == nil {
		r.store, err = openStore(ctx, r.Redis, r.NotEmpty)
	}
	return err
}

// startBaseline runs one of the baselines.
func (r *Run) startBaseline(ctx context.Context, name string, more []string) (*target, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	// The garbage collector works as it does in the service.
	server, err := startChild(r.dir, name, r.Program, []string{"GOGC=400"},
		append([]string{"bench", "baseline", name, "--listen", addr, "--answer", fmt.Sprint(r.answer)}, more...)...)
	if err != nil {
		return nil, err
	}
	t, err := dial(ctx, server, addr, baselineMethod)
	if err != nil {
		server.stop()
	}
	return t, err
}

// How a known customer has become known, beside one failure.
const (
	goodTimes = 3 // good experiences
	batchSize = 1000
)

// settle makes the customers known to the service, and sees how long its messages are.
func (r *Run) settle(ctx context.Context) error {
	before, err := usageOf(ctx, r.store.client)
	if err != nil {
		return err
	}
	if err := r.makeKnown(ctx, 0, r.Customers); err != nil {
		return err
	}
	if err := r.acquaint(ctx, r.service.target); err != nil {
		return err
	}
	after, err := usageOf(ctx, r.store.client)
	if err != nil {
		return err
	}
	r.perCustomer = (after.memory - before.memory) / float64(r.Customers)
	if err := r.stock(ctx); err != nil {
		return err
	}
	o := closed(ctx, fewCallers, r.Slice/4, r.reporting(r.service.target))
	if o.done == 0 {
		return errors.Join(errors.New("the service answers no report"), ctx.Err(), o.fault)
	}
	r.answer, r.request = int(o.answered/o.done), len(r.work.report(r.work.known()))
	return nil
}

// makeKnown records the good experiences of n customers from a number on.
func (r *Run) makeKnown(ctx context.Context, from, n int) error {
	batches := (n*goodTimes + batchSize - 1) / batchSize
	err := r.inParallel(ctx, batches, func(ctx context.Context, i int) error {
		r.say("making customers known to the service", i, batches)
		size := min(batchSize, n*goodTimes-i*batchSize)
		body := r.work.batch(size, func(at int) string { return r.work.customer(from + (i*batchSize+at)%n) })
		_, err := r.service.invoke(ctx, recoveryv1.RecoveryService_RecordInteractions_FullMethodName, body)
		return err
	})
	if err != nil {
		return fmt.Errorf("make customers known: %w", err)
	}
	return nil
}

// stock sees to it that there are enough customers who can report failures in the
// longest of turns.
func (r *Run) stock(ctx context.Context) error {
	const perSecond, longest = 8000, 3 // failures; slices
	want := int(perSecond * longest * r.Slice.Seconds())
	if r.work.inStock() >= want {
		return nil
	}
	from := int(r.work.stocked.Load())
	n := (want/failuresEach/freshBlock + 1) * freshBlock
	if err := r.makeKnown(ctx, firstFresh+from, n); err != nil {
		return err
	}
	r.work.stocked.Add(int64(n))
	return nil
}

// fewCallers do not make a server refuse any of them.
const fewCallers = 8

// acquaint reports one failure of each known customer.
func (r *Run) acquaint(ctx context.Context, t *target) error {
	err := r.inParallel(ctx, r.Customers, func(ctx context.Context, n int) error {
		if n%100 == 0 {
			r.say("a first failure of each customer at the "+t.name, n, r.Customers)
		}
		_, err := t.call(ctx, r.work.report(r.work.customer(n)))
		return err
	})
	if err != nil {
		return fmt.Errorf("a first failure of each customer at the %s: %w", t.name, err)
	}
	return nil
}

// inParallel does something n times, some at a time, patiently. It gives up at the
// first error.
func (r *Run) inParallel(ctx context.Context, n int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wait sync.WaitGroup
	for range fewCallers {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				err := patiently(ctx, func(ctx context.Context) error { return do(ctx, i) })
				if err != nil {
					cancel(err)
				}
			}
		})
	}
	wait.Wait()
	return context.Cause(ctx)
}

// patiently does something again when it was refused for load, or took too long on
// a machine that has other work.
func patiently(ctx context.Context, do func(context.Context) error) (err error) {
	const most = 20
	for range most {
		_, err = within(ctx, func(ctx context.Context) (int, error) { return 0, do(ctx) })
		if code := status.Code(err); code != codes.ResourceExhausted && code != codes.DeadlineExceeded || ctx.Err() != nil {
			return err
		}
		time.Sleep(pause(err))
	}
	return err
}

// reporting reports new failures of known customers. What a baseline does for one
// does not depend on what was reported before.
func (r *Run) reporting(t *target) calling {
	who := r.work.known
	if t == r.serviceTarget() {
		who = r.work.fresh
	}
	return func(ctx context.Context) (int, error) { return t.call(ctx, r.work.report(who())) }
}
