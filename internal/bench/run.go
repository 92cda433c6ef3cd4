package bench

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/makeamends/amends/internal/redisproc"
)

// Run is one run of the measurement: what it is to do, and what it has started.
type Run struct {
	Program   string         // that children run: this one
	Redis     string         // URL of the store; empty: a private one
	NotEmpty  bool           // the store may hold something
	Rounds    int            // in each of which everything that is compared has its turn
	Slice     time.Duration  // such a turn
	Callers   int            // of a closed loop
	Customers int            // who are known
	Full      bool           // everything, rather than what a few minutes allow
	Tell      func(Progress) // what is being done, one call at a time

	dir, keyFile string
	sink         *grpc.Server
	collector    string // address at which traces are taken
	store        *store
	service      *service
	echo, bare   *target
	plain        *target
	work         *work
	answer       int     // bytes of an answer of the service, on average
	request      int     // bytes
	sends        int     // bytes to Redis for a call of the service, on average
	perCustomer  float64 // bytes of Redis for each of the customers made known
	progress     schedule
	telling      sync.Mutex
}

// Part is one section of the measurement.
type Part struct {
	Name  string
	About string                   // one line, for the help
	Long  bool                     // only where everything is measured, or it is asked for by name
	Own   bool                     // on Redis servers of its own, whichever is named
	Plot  string                   // name of its picture, empty if it has none
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
	own := ""
	for i, part := range parts {
		if err != nil {
			break
		}
		var section Section
		r.progress.next(r, parts[i:])
		if part.Own && own == "" {
			if own, err = redisproc.Version(ctx); err != nil {
				break
			}
		}
		if section, err = part.Run(ctx, r); err != nil {
			err = fmt.Errorf("%s: %w", part.Name, err)
		}
		if section.Name = part.Name; len(section.Ratios)+len(section.Figures)+len(section.Tables) > 0 {
			if part.Own && r.Redis != "" {
				section.Notes = append(section.Notes, fmt.Sprintf("Measured on Redis servers of its own (%s), not on the one that --redis names.", own))
			}
			report.Sections = append(report.Sections, section)
		}
	}
	if report.Machine.Redis = own; r.store != nil {
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
		r.telling.Lock()
		defer r.telling.Unlock()
		r.Tell(Progress{r.progress.part, what, step, of, max(0, time.Until(r.progress.until)) + r.progress.then})
	}
}

// begin makes what every part needs: a directory with a key file, a collector of
// traces, and what is to be sent.
func (r *Run) begin() (err error) {
	r.work = newWork(r.Customers, r.contents())
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

// contents is how many customers have good experiences and nothing else: so many that
// none has more than the 5,000 requests within nine days that are taken of one.
func (r *Run) contents() int {
	// Three ways to bring them, at 50,000 a second, need 30; the rest is for chance, for
	// turns that are repeated, and for faster machines.
	const eachSecond = 200
	return max(r.Customers, 100+int(eachSecond*float64(r.Rounds)*r.Slice.Seconds()))
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
	for _, t := range []*target{r.echo, r.bare, r.plain, r.serviceTarget()} {
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
