package bench

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// Profile is where the processor time of the service goes.
var Profile = Part{Name: "profile", About: "where the processor time of the service goes, part by part",
	Lasts: func(r *Run) time.Duration { return 3 * r.Slice }, Run: where}

// Parts of the service's work.
const (
	partGRPC      = "gRPC transport"
	partMessages  = "messages: decode, encode, convert"
	partValidate  = "validation"
	partRedis     = "Redis client"
	partJudge     = "judging"
	partLedger    = "ledger: records, keys, commit"
	partAdmission = "admission, access, order of calls"
	partTelemetry = "log, metrics, traces"
	partMemory    = "allocation and garbage collection"
	partSchedule  = "goroutine scheduling"
	partOther     = "other"
)

// owners say to which part a function belongs, by the beginning of its name; the
// longest that fits counts. What is not listed, such as system calls, locks and
// copies, belongs to whoever calls it.
var owners = map[string]string{
	"google.golang.org/grpc": partGRPC, "golang.org/x/net/http2": partGRPC,
	"google.golang.org/grpc/encoding": partMessages,
	"buf.build/go/protovalidate":      partValidate, "cel.dev/": partValidate, "github.com/google/cel-go": partValidate,
	"github.com/redis/go-redis": partRedis,
	module + "recovery":         partJudge, module + "policy": partJudge, module + "calendar": partJudge,
	module + "ledger": partLedger,
	module + "rpc":    partMessages,
	module + "serve":  partAdmission, module + "auth": partAdmission,
	module + "telemetry": partTelemetry, "go.opentelemetry.io/": partTelemetry, "log/slog": partTelemetry, "github.com/prometheus/": partTelemetry,
	"runtime.mallocgc": partMemory, "runtime.newobject": partMemory, "runtime.makeslice": partMemory, "runtime.growslice": partMemory,
	"runtime.gc": partMemory, "runtime.bgsweep": partMemory, "runtime.bgscavenge": partMemory, "runtime.(*mheap)": partMemory, "runtime.(*mcache)": partMemory,
	"runtime.schedule": partSchedule, "runtime.findRunnable": partSchedule, "runtime.mcall": partSchedule, "runtime.park_m": partSchedule,
	"runtime.goready": partSchedule, "runtime.ready": partSchedule, "runtime.wakep": partSchedule, "runtime.sysmon": partSchedule, "runtime.mstart": partSchedule,
}

const module = "github.com/makeamends/amends/internal/"

func where(ctx context.Context, r *Run) (Section, error) {
	s := Section{Title: "Where the time goes"}
	if err := r.crew(ctx); err != nil {
		return s, err
	}
	lasts := r.longest()
	r.say(fmt.Sprintf("a profile of %v", lasts), 0, 0)
	var p *profile.Profile
	var err error
	load, takeErr := r.take(ctx, r.service.target, func() *outcome {
		fetched := make(chan struct{})
		go func() {
			defer close(fetched)
			p, err = r.service.profile(ctx, lasts)
		}()
		o := closed(ctx, r.Callers, lasts, r.reporting(r.service.target))
		<-fetched
		return o
	})
	if err = cmp.Or(takeErr, err); err != nil {
		return s, err
	}
	shares := attribute(p)
	t := Table{Columns: []string{"part of the service", "share", "µs/call"}}
	for _, part := range slices.SortedFunc(maps.Keys(shares), func(a, b string) int { return cmp.Compare(shares[b], shares[a]) }) {
		each := shares[part] * micros(load.cpu) / float64(load.done)
		t.Rows = append(t.Rows, []string{part, fmt.Sprintf("%.1f %%", 100*shares[part]), Number(each)})
		s.Figures = append(s.Figures, tabled(NewFigure("part."+part, "processor time", "µs/call", each))...)
	}
	s.Tables = append(s.Tables, t)
	s.Notes = append(s.Notes, "A profile of the server while it is fully busy, 100 samples a second. A system call, a copy or a lock counts for the part that makes it; allocation and its garbage do not.")
	return s, nil
}

// profile asks the operators' port of the service.
func (s *service) profile(ctx context.Context, lasts time.Duration) (*profile.Profile, error) {
	body, err := s.ask(ctx, fmt.Sprintf("/debug/pprof/profile?seconds=%d", int(lasts.Seconds())), lasts+callLimit)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return profile.Parse(body)
}

// attribute gives every sample to one part, and tells the share of each.
func attribute(p *profile.Profile) map[string]float64 {
	value := len(p.SampleType) - 1 // time; the one before counts samples
	sums, all := map[string]float64{}, 0.0
	for _, s := range p.Sample {
		n := float64(s.Value[value])
		sums[partOf(stack(s))] += n
		all += n
	}
	for part := range sums {
		sums[part] /= all
	}
	return sums
}

// stack are the names of the functions, the innermost first.
func stack(s *profile.Sample) (names []string) {
	for _, location := range s.Location {
		for _, line := range location.Line {
			names = append(names, line.Function.Name)
		}
	}
	return names
}

// partOf finds the innermost function that belongs to a part. Messages are those
// of the contract unless the ledger, or the telemetry, makes or reads them.
func partOf(names []string) string {
	messages := false
	for _, name := range names {
		if strings.HasPrefix(name, "google.golang.org/protobuf/") {
			messages = true
			continue
		}
		if part := owner(name); part != "" {
			if messages && part != partLedger && part != partTelemetry && part != partValidate {
				return partMessages
			}
			return part
		}
	}
	if messages {
		return partMessages
	}
	return partOther
}

// owner is the part to which a function itself belongs, if any.
func owner(name string) (part string) {
	longest := 0
	for prefix, of := range owners {
		if len(prefix) > longest && strings.HasPrefix(name, prefix) {
			longest, part = len(prefix), of
		}
	}
	return part
}
