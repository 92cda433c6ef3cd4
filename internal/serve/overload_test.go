package serve_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/makeamends/amends/internal/programtest"
	"github.com/makeamends/amends/internal/redistest"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

const (
	usefulBy    = time.Second // a later answer is of no use to its caller
	warmUpTime  = 3 * time.Second
	pressTime   = 8 * time.Second // one row of the table
	unloaded    = 0.1             // of the capacity
	afterwards  = 0.5
	lanesAtBest = 12 // calls under way when most is done
)

// BenchmarkOverload measures what the server can do, and then asks for one, two
// and four times as much, at moments that do not depend on the answers. Server,
// real Redis and load are processes of their own; where there are two processors
// or more, the server has one for itself.
func BenchmarkOverload(b *testing.B) {
	binary := programtest.Build(b, b.TempDir())
	where := "server, Redis and load share the processors"
	if pinned, ok := pin(b, binary); ok {
		binary, where = pinned, "the server has one processor for itself, Redis and the load have the rest"
	}
	store := redistest.Server(b)
	s := run(b, binary, "--redis", store.URL(), "--log-level", "info")
	p := &pressure{crowd: newCrowd(b, s.addr)}
	p.closed(warmUpTime)
	before := spentBy(b, s.Process.Pid)
	can := useful(p.closed(pressTime)) / pressTime.Seconds()
	each := (spentBy(b, s.Process.Pid) - before).Seconds() / (can * pressTime.Seconds())
	fmt.Printf("%d processors: %s\ncapacity: %.0f reports a second, %d under way\n", runtime.NumCPU(), where, can, lanesAtBest)
	fmt.Printf("%-12s %-28s %-9s %-9s %s\n", "asked for", "answered in p50, p99", "useful", "refused", "refused in p50, p99")
	base := p.row("unloaded", p.open(unloaded*can, pressTime, p.report), unloaded*can, nil)
	var all []*attempt
	for _, much := range []float64{1, 2, 4} {
		before = spentBy(b, s.Process.Pid)
		all = p.open(much*can, pressTime, p.report)
		p.row(fmt.Sprintf("%.0f×", much), all, can, base)
	}
	spent := (spentBy(b, s.Process.Pid) - before).Seconds()
	fmt.Printf("a report takes %.0f µs of the server's processor, a refusal at 4× %.0f µs\n", each*1e6,
		max(0, spent-each*float64(len(times(all, codes.OK))))/float64(max(1, len(times(all, codes.ResourceExhausted))))*1e6)
	p.recovery(p.open(afterwards*can, pressTime, p.report), base)
	p.mixed(p.open(2*can, pressTime, p.anything))
	b.ReportMetric(can, "reports/s")
}

// pin makes a command that runs on the first processor, and moves this process,
// with all that it starts, to the others.
func pin(b *testing.B, binary string) (command string, ok bool) {
	if runtime.NumCPU() < 2 {
		return "", false
	}
	rest := fmt.Sprintf("1-%d", runtime.NumCPU()-1)
	if exec.Command("taskset", "-a", "-pc", rest, fmt.Sprint(os.Getpid())).Run() != nil {
		return "", false
	}
	command = filepath.Join(b.TempDir(), "pinned")
	script := "#!/bin/sh\nexec taskset -c 0 " + binary + ` "$@"` + "\n"
	if err := os.WriteFile(command, []byte(script), 0o755); err != nil {
		b.Fatal(err)
	}
	return command, true
}

// spentBy is the processor time of a process so far, by Linux.
func spentBy(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	const user, system, tick = 11, 12, 10 * time.Millisecond
	var ticks time.Duration
	for _, field := range []int{user, system} {
		n, err := strconv.Atoi(fields[field])
		if err != nil {
			b.Fatal(err)
		}
		ticks += time.Duration(n)
	}
	return ticks * tick
}

// pressure makes calls of a crowd.
type pressure struct {
	*crowd
	mu    sync.Mutex
	sent  int
	cases []string // that were opened, as far as they were kept
}

func (p *pressure) report(a *attempt) bool {
	p.sent++
	e := event(fmt.Sprintf("event-%08d", p.sent), fmt.Sprintf("customer-%08d", p.sent/2))
	e.SetOccurredAt(timestamppb.Now())
	a.kind = "report"
	return p.ask(recoveryv1.RecoveryService_ReportFailure_FullMethodName, recoveryv1.ReportFailureRequest_builder{Event: e}.Build(), a)
}

// anything asks for what a day has in it: of ten calls seven reports, two reads
// and a step of a case.
func (p *pressure) anything(a *attempt) bool {
	p.mu.Lock()
	id := p.cases[p.sent%len(p.cases)]
	p.mu.Unlock()
	switch rand.IntN(10) {
	case 0:
		a.kind = "step"
		return p.ask(recoveryv1.RecoveryService_AcknowledgeCase_FullMethodName, recoveryv1.AcknowledgeCaseRequest_builder{CaseId: id, RequestId: "ack"}.Build(), a)
	case 1, 2:
		a.kind = "read"
		return p.ask(recoveryv1.RecoveryService_GetCase_FullMethodName, recoveryv1.GetCaseRequest_builder{CaseId: id}.Build(), a)
	default:
		return p.report(a)
	}
}

func (p *pressure) ask(path string, m proto.Message, a *attempt) bool {
	body, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return p.send(path, body, a)
}

// closed keeps a number of reports under way.
func (p *pressure) closed(lasts time.Duration) (all []*attempt) {
	var mu sync.Mutex
	begin := time.Now()
	var again func(*attempt)
	again = func(was *attempt) {
		mu.Lock()
		defer mu.Unlock()
		if was != nil && was.keep {
			p.keep(was)
		}
		if now := time.Now(); now.Sub(begin) < lasts {
			a := &attempt{due: now, then: again, keep: len(all)%8 == 0}
			all = append(all, a)
			p.report(a)
			p.flush()
		}
	}
	for range lanesAtBest {
		again(nil)
	}
	time.Sleep(time.Until(begin.Add(lasts)))
	p.wait()
	mu.Lock()
	defer mu.Unlock()
	return all
}

// keep remembers the case of a report.
func (p *pressure) keep(a *attempt) {
	const prefix = 5 // that gRPC puts before a message
	var answer recoveryv1.ReportFailureResponse
	if a.code != codes.OK || len(a.bytes) < prefix || proto.Unmarshal(a.bytes[prefix:], &answer) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cases = append(p.cases, answer.GetCase().GetCaseId())
}

// open sends so many calls a second, as they come from many who do not know of
// each other.
func (p *pressure) open(rate float64, lasts time.Duration, send func(*attempt) bool) (all []*attempt) {
	random := rand.New(rand.NewPCG(1, 2))
	next := time.Now()
	for end := next.Add(lasts); next.Before(end); {
		time.Sleep(time.Until(next))
		for now := time.Now(); next.Before(now); {
			a := &attempt{due: next}
			all = append(all, a)
			if !send(a) {
				a.code = codes.Unavailable // more are under way than any client has
			}
			next = next.Add(time.Duration(random.ExpFloat64() / rate * float64(time.Second)))
		}
		p.flush()
	}
	p.wait()
	return all
}

// useful counts what was carried out in time.
func useful(all []*attempt) (n float64) {
	for _, a := range all {
		if a.code == codes.OK && a.took() < usefulBy {
			n++
		}
	}
	return n
}

// times are those of the calls that ended with a code, in order.
func times(all []*attempt, code codes.Code) (took []time.Duration) {
	for _, a := range all {
		if a.code == code && !a.over.IsZero() {
			took = append(took, a.took())
		}
	}
	slices.Sort(took)
	return took
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(float64(len(sorted)-1)*q)].Round(10 * time.Microsecond)
}

// row prints what became of calls of which so many a second could be carried
// out, compared with how long they take when there is little to do.
func (p *pressure) row(name string, all []*attempt, can float64, base []time.Duration) []time.Duration {
	good, refused := times(all, codes.OK), times(all, codes.ResourceExhausted)
	answered := fmt.Sprintf("%v, %v", quantile(good, .5), quantile(good, .99))
	if base != nil {
		answered += fmt.Sprintf(" (%.1f×)", float64(quantile(good, .99))/float64(quantile(base, .99)))
	}
	fmt.Printf("%-12s %-28s %-9s %-9s %v, %v\n", name, answered,
		fmt.Sprintf("%.0f %%", 100*useful(all)/pressTime.Seconds()/can), fmt.Sprintf("%.0f %%", 100*float64(len(refused))/float64(len(all))),
		quantile(refused, .5), quantile(refused, .99))
	if lost := len(all) - len(good) - len(refused); lost > 0 {
		fmt.Printf("%-12s %d of %d ended otherwise\n", "", lost, len(all))
	}
	return good
}

// recovery prints how long after an overload calls were answered as before it:
// none refused, and none that took three times as long as 99 of 100 unloaded ones.
func (p *pressure) recovery(all []*attempt, base []time.Duration) {
	begin, last := all[0].due, time.Duration(0)
	slow := 3 * quantile(base, .99)
	var late []time.Duration
	for _, a := range all {
		if a.code != codes.OK || a.took() > slow {
			late = append(late, a.due.Sub(begin))
		}
	}
	// One of a hundred may be slow at any time.
	if most := len(all) / 100; len(late) > most {
		last = late[len(late)-1-most]
	}
	fmt.Printf("after 4×, at %.1f×: as before %v after the overload\n", afterwards, last.Round(time.Millisecond))
}

// mixed prints what became of calls of several kinds.
func (p *pressure) mixed(all []*attempt) {
	kinds := map[string][]*attempt{}
	for _, a := range all {
		kinds[a.kind] = append(kinds[a.kind], a)
	}
	var parts []string
	for _, kind := range []string{"step", "report", "read"} {
		of := kinds[kind]
		parts = append(parts, fmt.Sprintf("%ss %.1f %%", kind, 100*float64(len(times(of, codes.ResourceExhausted)))/float64(max(1, len(of)))))
	}
	fmt.Printf("a mixture at 2×: refused of %s\n", strings.Join(parts, ", "))
}
