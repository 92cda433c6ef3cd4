package bench

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/makeamends/amends/internal/bench/turns"
)

// Start is how soon a server serves, and how large it is.
var Start = Part{Name: "start", About: "how soon a server serves; size of the program, and its memory",
	Lasts: func(r *Run) time.Duration { return time.Duration(3*r.Rounds) * time.Second }, Run: start}

var aimStart = Aim{Most: 300}

// distroless is what the makers of the base image of the Dockerfile say of its size.
const distroless = 2 << 20

func start(ctx context.Context, r *Run) (Section, error) {
	s := Section{Title: "Start and size"}
	if err := r.needStore(ctx); err != nil {
		return s, err
	}
	stores := []startOn{
		{name: "embedded", about: "with the embedded store", url: "embedded"},
		{name: "redis", about: "with a Redis", url: r.store.url},
	}
	err := r.starts(ctx, stores)
	for _, on := range stores {
		s.Ratios = append(s.Ratios, Ratio{NewFigure("start."+on.name, "from the start of the process until its health is SERVING, "+on.about, "ms", on.took...), aimStart})
	}
	s.Figures = append(s.Figures, NewFigure("idle.memory", "memory of a server without calls, a second after its start", "MiB", stores[1].memory...))
	return s, errors.Join(err, r.programSize(&s))
}

// startOn is a store on which servers are started.
type startOn struct {
	name, about, url string
	took, memory     []float64 // in each round: milliseconds, MiB
}

// starts starts servers in turns.
func (r *Run) starts(ctx context.Context, stores []startOn) error {
	for round := range r.Rounds {
		for i := range turns.InRound(round, len(stores)) {
			on := &stores[i]
			r.say("starting with "+on.name, round+1, r.Rounds)
			took, holds, err := r.startOnce(ctx, on.url)
			if err != nil {
				return err
			}
			on.took, on.memory = append(on.took, float64(took)/float64(time.Millisecond)), append(on.memory, holds)
		}
	}
	return nil
}

// startOnce starts a server, waits for it, sees how much memory it holds, in MiB, and
// ends it.
func (r *Run) startOnce(ctx context.Context, redis string) (took time.Duration, holds float64, err error) {
	began := time.Now()
	service, err := r.startService(ctx, redis)
	if err != nil {
		return 0, 0, err
	}
	took = time.Since(began)
	defer service.server.kill()
	defer service.close()
	select {
	case <-ctx.Done():
	case <-time.After(time.Second):
	}
	return took, memory(service.server.pid()), ctx.Err()
}

// programSize tells how large the program is, and what an image with it would be.
func (r *Run) programSize(s *Section) error {
	info, err := os.Stat(r.Program)
	if err != nil {
		return err
	}
	s.Figures = append(s.Figures,
		NewFigure("binary", "program", "MiB", mebibytes(info.Size())),
		NewFigure("image", "image: the program and the base files of the Dockerfile, unpacked", "MiB", mebibytes(info.Size()+distroless)))
	s.Notes = append(s.Notes, fmt.Sprintf("The program is %s. The image is not measured, since there is no container engine here: its base, distroless/static, has about 2 MiB by its makers.", kind(r.Program)))
	return nil
}

// kind says how a program was built.
func kind(program string) string {
	f, err := elf.Open(program)
	if err != nil {
		return "no ELF file"
	}
	defer f.Close()
	text := "static"
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			text = "linked dynamically"
		}
	}
	if f.Section(".symtab") != nil || f.Section(".debug_info") != nil || f.Section(".zdebug_info") != nil {
		return text + ", with its symbols (the Dockerfile builds it without: -ldflags '-s -w')"
	}
	return text + " and stripped, as the Dockerfile builds it"
}
