package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/makeamends/amends/internal/serve"
	"github.com/makeamends/amends/internal/show"
	"github.com/makeamends/amends/internal/story"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func demoCommand(app *app) *cobra.Command {
	var d demo
	cmd := &cobra.Command{
		Use:   "demo [STORY...]",
		Short: "Tell the stories that the service was built from",
		Long: `Plays stories of failed customers through a real server of its own, with an embedded Redis
and a clock that the demo sets, and shows for each what came in, the risk and its reasons,
what to give, and by when to answer and why.

Nothing has to be set up and nothing is kept. Without a name it tells all stories, and ends
with a table of them.`,
		Example: `  amends demo
  amends demo 1 3b 10          # the pizza, the guitar, the fine print
  amends demo 2b --full        # with what to say, what to avoid, and the history of the case
  amends demo -o json | jq .case   # the last answer of each story, one a line
  amends demo --at 2024-02-29T23:30:00Z`,
		GroupID: groupServe,
		RunE: func(cmd *cobra.Command, args []string) error {
			d.page = app.page(cmd)
			d.app = app
			return d.run(cmd.Context(), args)
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			stories, _ := story.All()
			names := make([]string, 0, len(stories))
			for _, s := range stories {
				names = append(names, s.ID+"\t"+s.Title)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
	d.format = addFormat(cmd)
	cmd.Flags().BoolVar(&d.full, "full", false, "show everything about each case")
	cmd.Flags().StringVar(&d.at, "at", "2026-03-02T12:00:00Z", "`MOMENT` of the decisions (RFC 3339): where the demo sets its clock")
	return cmd
}

// demo plays stories and prints them.
type demo struct {
	app    *app
	page   show.Page
	format *string
	full   bool
	at     string

	decision time.Time
	endings  []show.Ending
}

func (d *demo) run(ctx context.Context, names []string) error {
	stories, err := choose(names)
	if err != nil {
		return err
	}
	if d.decision, err = time.Parse(time.RFC3339, d.at); err != nil {
		return &usageError{err: fmt.Errorf("--at %q is no moment such as 2026-03-02T12:00:00Z", d.at), command: "amends demo"}
	}
	if year := d.decision.Year(); year < 1980 || year > 2200 { // beyond which what went before, or comes after, is no time of the service
		return &usageError{err: fmt.Errorf("--at %s: must be from 1980 to 2200", d.at), command: "amends demo"}
	}
	d.page.Now = d.decision
	return d.withServer(ctx, func(p *story.Player) error {
		for _, s := range stories {
			if err := d.play(ctx, p, s); err != nil {
				return err
			}
		}
		if *d.format == "table" && len(d.endings) > 1 {
			_, err := fmt.Fprint(d.app.stdout, show.StoryTitle("All", "the stories side by side",
				"Risk of losing the customer if nobody answers, if the answer is good but late, and if it is good and on time; what to give in all; and how soon a human must answer.", d.page),
				show.Endings(d.endings, d.page), show.Legend(d.page),
				show.Note("One story in full: amends demo 3b --full. Try the service: amends serve.", d.page))
			return err
		}
		return nil
	})
}

// choose finds the stories by their names, all without names.
func choose(names []string) ([]story.Story, error) {
	all, err := story.All()
	if err != nil || len(names) == 0 {
		return all, err
	}
	var chosen []story.Story
	var known, unknown []string
	for _, s := range all {
		known = append(known, s.ID)
	}
	for _, name := range names {
		i := slices.IndexFunc(known, func(id string) bool { return strings.EqualFold(id, name) })
		if i < 0 {
			unknown = append(unknown, name)
			continue
		}
		chosen = append(chosen, all[i])
	}
	if len(unknown) > 0 {
		return nil, &usageError{command: "amends demo",
			err: fmt.Errorf("no story is called %s; there are %s", strings.Join(unknown, ", "), strings.Join(known, ", "))}
	}
	return chosen, nil
}

// withServer starts a server whose clock the demo sets, on a free port.
func (d *demo) withServer(ctx context.Context, use func(*story.Player) error) (err error) {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	clock := story.NewClock(d.decision)
	server, err := serve.Start(ctx, serve.Config{Listen: "127.0.0.1:0", Redis: "embedded", Secret: secret, Now: clock.Now})
	if err != nil {
		return err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if stopErr := server.Stop(stopping); err == nil {
			err = stopErr
		}
	}()
	conn, err := grpc.NewClient(server.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	return use(&story.Player{Service: recoveryv1.NewRecoveryServiceClient(conn), Clock: clock, Tenant: "demo"})
}

// play plays one story and prints how it ends.
func (d *demo) play(ctx context.Context, p *story.Player, s story.Story) error {
	scenes, err := p.Play(ctx, s, d.decision)
	if err != nil {
		return err
	}
	last := scenes[len(scenes)-1]
	if *d.format == "json" {
		return printJSON(d.app.stdout, recoveryv1.GetCaseResponse_builder{Case: last.Case}.Build())
	}
	text := show.StoryTitle(s.ID, s.Title, s.Tell, d.page) + show.Timeline(d.moments(s, scenes), d.page) + "\n"
	page := d.page
	page.Now, page.Told = last.At, true
	switch {
	case d.full:
		text += show.Case(last.Case, page)
	case s.Ends != nil:
		text += show.Step(last.Case, page)
	default:
		text += show.Decision(last.Case, page)
	}
	if _, err := fmt.Fprintln(d.app.stdout, text); err != nil {
		return err
	}
	if s.Ends == nil {
		d.endings = append(d.endings, show.Ending{ID: s.ID, Title: s.Title, Case: last.Case, Now: last.At})
	}
	return nil
}

// moments are the steps of a story; one about what follows a decision says of
// each step what it came to.
func (d *demo) moments(s story.Story, scenes []story.Scene) []show.Moment {
	moments := make([]show.Moment, 0, len(scenes))
	var before *recoveryv1.Case
	for _, scene := range scenes {
		m := show.Moment{Offset: time.Duration(scene.Step.At), Say: told(scene.Step)}
		if s.Ends != nil {
			m.Came = show.Came(before, scene.Case, d.page)
			before = scene.Case
		}
		moments = append(moments, m)
	}
	return moments
}

// told says what happened in a step; positives speak for themselves.
func told(step story.Step) string {
	if step.Say != "" {
		return step.Say
	}
	parts := make([]string, 0, len(step.Positives))
	for name, count := range step.Positives {
		parts = append(parts, fmt.Sprintf("%d × %s", count, strings.ToLower(strings.ReplaceAll(name, "_", " "))))
	}
	slices.Sort(parts)
	return "Good times: " + strings.Join(parts, ", ") + "."
}
