package main

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/makeamends/amends/client"
	"github.com/makeamends/amends/internal/show"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// simulation is one run of `amends policy simulate`.
type simulation struct {
	*app
	connection *connection
	format     *string
	flags      eventFlags
	tenant     string
	candidate  string
	version    string
}

func policySimulateCommand(app *app) *cobra.Command {
	s := &simulation{app: app}
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Judge a failure under another policy, beside the active one; nothing is stored",
		Long: `Ask the service how it would judge a failure under another policy, against what it
remembers of the customer, and set that beside the judgement under the active policy.
The failure is described by the flags of "amends report". Nothing is stored.`,
		Example: `  amends policy simulate --candidate mine.yaml --customer c-1042 --kind LATE --delay 45m --value "18.00 USD"`,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.run(cmd) },
	}
	s.connection, s.format = addConnection(cmd), addFormat(cmd)
	cmd.Flags().StringVar(&s.candidate, "candidate", "", "policy `FILE` to try; - for standard input")
	cmd.Flags().StringVar(&s.version, "version", "", "`VERSION` to try, of those that the server holds")
	cmd.Flags().StringVar(&s.tenant, "tenant", "", "`NAME` of the tenant (default: default)")
	s.flags.add(cmd)
	return cmd
}

func (s *simulation) run(cmd *cobra.Command) error {
	request := recoveryv1.SimulatePolicyRequest_builder{}
	event, _, err := s.flags.build(cmd, s.now())
	if err = errors.Join(s.named(), err); err != nil {
		return &usageError{err: err, command: cmd.CommandPath()}
	}
	if s.candidate != "" {
		_, text, err := s.readFile(cmd.Context(), s.candidate)
		if err != nil {
			return err
		}
		if !utf8.Valid(text) {
			return &usageError{err: fmt.Errorf("%s is not UTF-8", s.candidate)}
		}
		yaml := string(text)
		request.Yaml = &yaml
	} else {
		request.Version = &s.version
	}
	event.SetTenant(s.tenant)
	request.Event = event
	answer, err := ask(s.connection, func(c *client.Client) (*recoveryv1.SimulatePolicyResponse, error) {
		return c.SimulatePolicy(cmd.Context(), request.Build())
	})
	if err != nil {
		var call *callError
		if s.candidate != "" && errors.As(err, &call) && client.Reason(err) == recoveryv1.ErrorReason_ERROR_REASON_POLICY_INVALID {
			call.advice = "See every fault with its place: amends policy check " + s.candidate
		}
		return err
	}
	if *s.format == "json" {
		return printJSON(s.stdout, answer)
	}
	_, err = fmt.Fprint(s.stdout, show.Simulation(answer, s.page(cmd)))
	return err
}

// named is nil if one policy is named.
func (s *simulation) named() error {
	switch {
	case s.candidate != "" && s.version != "":
		return errors.New("--candidate and --version both name the policy to try: leave one out")
	case s.candidate == "" && s.version == "":
		return errors.New("name the policy to try with --candidate or --version")
	}
	return nil
}
