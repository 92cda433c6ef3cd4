package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/show"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// step is a command that takes a case one step on.
type step struct {
	name                 string
	method               string // of the service, as its errors name the step
	short, long, example string
	alsoCalled           []string // other words for it, for which it is suggested

	// fits are the offers that the step is about; nil if it is about the case itself.
	fits []recoveryv1.OfferState
	// words are what the last argument may be, and read takes it in; nil if there is none.
	words []string
	read  func(*stepping, string) error
	// flags adds those that only this step has, and check finds what is missing of them.
	flags func(*stepping, *cobra.Command)
	check func(*stepping) error

	send func(context.Context, recoveryv1.RecoveryServiceClient, *stepping) (caseAnswer, error)
}

// caseAnswer is what every step is answered with.
type caseAnswer interface {
	proto.Message
	GetCase() *recoveryv1.Case
}

// stepping is one run of a step.
type stepping struct {
	*app
	*step
	connection *connection
	format     *string
	caseID     string
	requestID  string
	expected   int64
	revision   *int64 // nil if any will do

	// What some of the steps are told.
	isIn, isOut, isPublic bool
	channel               recoveryv1.Channel
	outcome               recoveryv1.Outcome
	offerID               string
	chosen                *recoveryv1.Offer // of which the step is, if it was not named
	stands                string            // how the case or the offer stands with which the step cannot be taken
	answer                recoveryv1.Answer
	approver              string
	goodwill              *money.Money
	isDry                 bool
	event                 *recoveryv1.FailureEvent
}

// caseExample gives the examples of steps a case to be about.
const caseExample = `  # CASE is the case of the customer of which something is due next
  CASE=$(amends cases --customer c-1042 -o json | jq -r .caseId | head -n 1)
`

func stepCommand(app *app, about *step) *cobra.Command {
	s := &stepping{app: app, step: about}
	cmd := &cobra.Command{
		Use:               strings.Join(append([]string{about.name}, about.usage()...), " "),
		GroupID:           groupCase,
		Short:             about.short,
		Long:              about.long,
		Example:           caseExample + about.example,
		SuggestFor:        append([]string{about.method}, about.alsoCalled...),
		Args:              about.arguments,
		ValidArgsFunction: about.complete,
	}
	s.addFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := s.take(cmd, args); err != nil {
			return err
		}
		return s.run(cmd)
	}
	return cmd
}

func (s *stepping) addFlags(cmd *cobra.Command) {
	s.connection, s.format = addConnection(cmd), addFormat(cmd)
	flags := cmd.Flags()
	flags.StringVar(&s.requestID, "request-id", "", "`ID` of this step, compared within a customer; the same id again changes nothing (default: a new one)")
	flags.Int64Var(&s.expected, "revision", 0, "take the step only if the case has this revision, a `NUMBER`")
	if s.flags != nil {
		s.flags(s, cmd)
	}
}

// usage are the arguments as the help shows them.
func (s *step) usage() []string {
	words := []string{"CASE"}
	if s.fits != nil {
		words = append(words, "[OFFER]")
	}
	if s.read != nil {
		words = append(words, strings.Join(s.words, "|"))
	}
	return words
}

func (s *step) arguments(cmd *cobra.Command, args []string) error {
	what := []string{"the id of a CASE"}
	if s.read != nil {
		what = append(what, "one of "+strings.Join(s.words, ", "))
	}
	if s.fits != nil && len(args) == len(what)+1 {
		return nil
	}
	return exactly(what...)(cmd, args)
}

// complete offers the words of the last argument; ids are known to the service only.
func (s *step) complete(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 || slices.Contains(s.words, args[len(args)-1]) {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return s.words, cobra.ShellCompDirectiveNoFileComp
}

// take takes the command line in.
func (s *stepping) take(cmd *cobra.Command, args []string) error {
	s.caseID = args[0]
	rest := args[1:]
	if s.read != nil {
		last := len(rest) - 1
		if err := s.read(s, rest[last]); err != nil {
			return &usageError{err: err, command: cmd.CommandPath()}
		}
		rest = rest[:last]
	}
	if len(rest) > 0 {
		s.offerID = rest[0]
	}
	if s.check != nil {
		if err := s.check(s); err != nil {
			return &usageError{err: err, command: cmd.CommandPath()}
		}
	}
	return nil
}

func (s *stepping) run(cmd *cobra.Command) error {
	if cmd.Flag("revision").Changed {
		s.revision = &s.expected
	}
	if s.requestID == "" {
		s.requestID = uuid.NewString()
	}
	desk, err := s.connection.dial()
	if err != nil {
		return err
	}
	defer desk.Close()
	if s.fits != nil && s.offerID == "" {
		if err := s.choose(cmd.Context(), desk); err != nil {
			return err
		}
	}
	answer, err := s.call(cmd.Context(), desk)
	if err != nil {
		return err
	}
	if s.chosen != nil {
		fmt.Fprintf(s.stderr, "The offer is %s, of %s.\n", s.offerID, show.Money(s.chosen.GetTotal()))
	}
	if old := replaced(answer); old != "" && !s.isDry {
		fmt.Fprintf(s.stderr, "It takes the place of the offer %s, which has ended.\n", old)
	}
	return s.print(answer, s.page(cmd))
}

// call takes the step. Of an error that leaves open whether it was taken it says how to repeat it safely.
func (s *stepping) call(ctx context.Context, desk recoveryv1.RecoveryServiceClient) (answer caseAnswer, err error) {
	again := "--request-id " + shellWord(s.requestID)
	if s.chosen != nil {
		again += " and the offer " + s.offerID
	}
	answer, err = s.send(ctx, desk, s)
	if err != nil {
		err = s.connection.named(err, again)
		s.look(ctx, desk, err)
		s.advise(err)
		if exitCode(err) == exitInternal {
			s.tellAgain(err, again)
		}
	}
	return answer, err
}

func (s *stepping) print(answer caseAnswer, page show.Page) error {
	if *s.format == "json" {
		return printJSON(s.stdout, answer)
	}
	text := show.Step(answer.GetCase(), page)
	if offered, ok := answer.(*recoveryv1.RequestOfferResponse); ok && s.isDry {
		text = show.Offer(offered.GetOffer(), page)
	}
	_, err := fmt.Fprint(s.stdout, text)
	return err
}
