package bench

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"time"
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
	took := map[string][]float64{}
	var idle []float64
	var err error
	stores := [][2]string{{"embedded", "embedded"}, {"redis", r.store.url}}
	for round := range r.Rounds {
		for i := range inRound(round, len(stores)) {
			of := stores[i]
			r.say("starting with "+of[0], round+1, r.Rounds)
			var lasted time.Duration
			var rss int64
			if lasted, rss, err = r.startOnce(ctx, of[1]); err != nil {
				break
			}
			took[of[0]] = append(took[of[0]], float64(lasted)/float64(time.Millisecond))
			if of[0] == "redis" {
				idle = append(idle, mebibytes(rss))
			}
		}
	}
	for name, about := range map[string]string{"embedded": "with the embedded store", "redis": "with a Redis"} {
		s.Ratios = append(s.Ratios, Ratio{NewFigure("start."+name, "from the start of the process until its health is SERVING, "+about, "ms", took[name]...), aimStart})
	}
	if s.Ratios[0].Name > s.Ratios[1].Name {
		s.Ratios[0], s.Ratios[1] = s.Ratios[1], s.Ratios[0]
	}
	s.Figures = append(s.Figures, NewFigure("idle.memory", "memory of a server without calls, a second after its start", "MiB", idle...))
	return s, errors.Join(err, r.sizes(&s))
}

// startOnce starts a server, waits for it, and ends it.
func (r *Run) startOnce(ctx context.Context, redis string) (took time.Duration, rss int64, err error) {
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
	rss, _ = memory(service.server.pid())
	return took, rss, ctx.Err()
}

// sizes tells how large the program is, and what an image with it would be.
func (r *Run) sizes(s *Section) error {
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

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
