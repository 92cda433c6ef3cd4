package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/makeamends/amends/internal/auth"
	"github.com/makeamends/amends/internal/document"
)

func accessCommand(app *app) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "access",
		Short: "Check who may call what",
		Long: `Who may call the service stands in one YAML file, the access file: callers, by what each is
known, its roles and tenants, and how often it may call. "amends serve --access" takes it.`,
		Example: `  amends access check examples/access.yaml`,
	})
	cmd.AddCommand(accessCheckCommand(app))
	return cmd
}

func accessCheckCommand(app *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Show every fault of an access file, or who may do what by it",
		Long: `Read an access file as the service would, with the files of keys that it names. Show every
fault at once as file:line:column: field: what is wrong and what is allowed; or, when there
is none, the callers and who may call each method. Needs no server and asks no issuer.
Leaves with 2 if the file cannot be taken.`,
		Example: `  amends access check examples/access.yaml

  # who may erase customers?
  amends access check examples/access.yaml -o json |
    jq -r '.methods[] | select(.method | endswith("/EraseCustomer")) | .callers[]'`,
		Args: exactly("the access FILE"),
	}
	format := addFormat(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name, text, err := app.readFile(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		access, findings := auth.Parse(name, text)
		switch {
		case *format == "json":
			err = json.NewEncoder(app.stdout).Encode(grantsOf(access, findings))
		case len(findings) > 0:
			_, err = fmt.Fprintln(app.stdout, findings)
		default:
			err = printGrants(app.stdout, grantsOf(access, nil))
		}
		if len(findings) > 0 && err == nil {
			return &usageError{err: fmt.Errorf("%s: %s", name, findings.Count())}
		}
		return err
	}
	return cmd
}

// grants are what an access file says, for machines.
type grants struct {
	Valid    bool           `json:"valid"`
	Findings []grantFinding `json:"findings,omitempty"`
	Callers  []grantCaller  `json:"callers,omitempty"`
	Methods  []grantMethod  `json:"methods,omitempty"`
}

type grantFinding struct {
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

type grantCaller struct {
	Name           string   `json:"name"`
	KnownBy        []string `json:"knownBy"`
	Roles          []string `json:"roles"`
	Tenants        []string `json:"tenants"`
	CallsPerSecond float64  `json:"callsPerSecond"`
	Burst          int      `json:"burst"`
	CallsAtOnce    int      `json:"callsAtOnce"`
}

type grantMethod struct {
	Method    string   `json:"method"`
	Roles     []string `json:"roles,omitempty"`
	Callers   []string `json:"callers,omitempty"`
	Everybody bool     `json:"everybody,omitempty"` // without being asked who it is
}

func grantsOf(a *auth.Access, findings document.Findings) grants {
	g := grants{Valid: len(findings) == 0}
	for _, f := range findings {
		g.Findings = append(g.Findings, grantFinding{f.Line, f.Column, f.Field, f.Message})
	}
	if a == nil {
		return g
	}
	for _, e := range a.Entries {
		g.Callers = append(g.Callers, grantCaller{
			e.Name, e.KnownBy, e.Roles.Names(), e.Tenants.Names(), e.Limits.PerSecond, e.Limits.Burst, e.Limits.AtOnce,
		})
	}
	for _, m := range auth.Methods {
		row := grantMethod{Method: strings.TrimPrefix(m.Name, "/"), Roles: m.Roles.Names(), Everybody: m.Open}
		for _, e := range a.Entries {
			if !m.Open && m.Allows(e.Roles) {
				row.Callers = append(row.Callers, e.Name)
			}
		}
		g.Methods = append(g.Methods, row)
	}
	return g
}

// printGrants writes two tables: the callers, and who may call each method.
func printGrants(w io.Writer, g grants) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CALLER\tROLES\tTENANTS\tCALLS/S\tBURST\tAT ONCE\tKNOWN BY")
	for _, c := range g.Callers {
		fmt.Fprintf(t, "%s\t%s\t%s\t%g\t%d\t%d\t%s\n", c.Name, strings.Join(c.Roles, ", "), someOf(c.Tenants), c.CallsPerSecond, c.Burst, c.CallsAtOnce, c.KnownBy[0])
		for _, more := range c.KnownBy[1:] {
			fmt.Fprintf(t, "\t\t\t\t\t\t%s\n", more)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(t, "\nMETHOD\tWHO MAY CALL IT")
	for _, m := range g.Methods {
		who := strings.Join(m.Callers, ", ")
		switch {
		case m.Everybody:
			who = "everybody, without being asked"
		case who == "":
			who = "nobody"
		}
		fmt.Fprintf(t, "%s\t%s\n", m.Method[strings.LastIndexByte(m.Method[:strings.IndexByte(m.Method, '/')], '.')+1:], who)
	}
	return t.Flush()
}

// someOf lists a few.
func someOf(names []string) string {
	const most = 4
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
