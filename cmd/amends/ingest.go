package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/client"
	"github.com/makeamends/amends/internal/rpc"
	"github.com/makeamends/amends/internal/show"
)

// ingesting is one run of `amends ingest`.
type ingesting struct {
	*app
	connection  *connection
	output      *string
	format      oneOf
	tenant      string
	rejectsPath string
	notePath    string
	restart     bool
	makeIDs     bool
	dryRun      bool

	check func(proto.Message) ([]string, error) // finds what breaks the contract; nil: the service does
	mu    sync.Mutex                            // held by whoever counts or says something
}

func ingestCommand(app *app) *cobra.Command {
	i := &ingesting{app: app, format: oneOf{value: formatAuto, known: []string{formatAuto, formatNDJSON, formatCSV}}}
	cmd := &cobra.Command{
		Use:        "ingest FILE...",
		GroupID:    groupCall,
		SuggestFor: []string{"load", "import", "bulk", "upload"},
		Short:      "Take in files of failures and good experiences, of any size",
		Long:       ingestHelp,
		Example: `  # what the files would do, without a service
  amends ingest --dry-run examples/history.csv examples/history.ndjson

  # take them in
  amends ingest examples/history.csv examples/history.ndjson

  # packed, or out of another program
  gzip -c examples/history.csv | amends ingest -

  # keep what is refused, and send it again when it is mended
  echo '{"customerId": "c-1"}' | amends ingest - --rejects refused.ndjson
  amends ingest refused.ndjson`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("name a FILE, or - for standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return i.run(cmd, args) },
	}
	i.connection, i.output = addConnection(cmd), addFormat(cmd)
	i.connection.timeout = time.Minute
	wait := cmd.Flag("timeout")
	wait.Usage, wait.DefValue = "how long to try again while no service answers", "1m"
	flags := cmd.Flags()
	flags.Var(&i.format, "format", "`FORM` of the files: ndjson, csv, or auto to tell by content and name")
	registerChoice(cmd, "format", i.format.known)
	flags.StringVar(&i.tenant, "tenant", "", "`NAME` of the tenant of records that name none (default: default)")
	flags.StringVar(&i.rejectsPath, "rejects", "", "`FILE` for the records that are refused (default: FILE.rejects.ndjson)")
	flags.StringVar(&i.notePath, "progress", "", "`FILE` that remembers how far it is, to go on there (default: FILE.progress)")
	flags.BoolVar(&i.restart, "restart", false, "begin at the beginning, whatever an earlier run has left")
	flags.BoolVar(&i.makeIDs, "make-ids", false, "give records without an id one that is made of their content: equal records count once")
	flags.BoolVar(&i.dryRun, "dry-run", false, "read and check the files here, and send nothing")
	return cmd
}

func (i *ingesting) run(cmd *cobra.Command, paths []string) error {
	if err := i.sane(cmd, paths); err != nil {
		return err
	}
	var opened *client.Client
	if i.dryRun {
		check, err := rpc.NewCheck()
		if err != nil {
			return err
		}
		i.check = check
	} else {
		c, err := i.connection.dial()
		if err != nil {
			return err
		}
		defer c.Close()
		opened = c
	}
	var loads []show.Load
	var first error
	for n, path := range paths {
		in := &intake{ingesting: i, path: path, notes: i.noteOf(path), bar: newProgress(i.app)}
		in.rejects = &rejects{path: i.rejectsOf(path)}
		in.bar.log, in.noted = i.stderr, i.now()
		if i.dryRun && i.rejectsPath == "" {
			in.rejects.path = ""
		}
		err := in.send(cmd.Context(), opened)
		in.bar.clear()
		if in.isOpen {
			err = in.end(cmd.Context(), err)
			// What cannot be kept must not pass for kept.
			if unkept := in.rejects.close(); unkept != nil {
				err = errors.Join(err, unkept)
			}
		}
		if in.isOpen && (in.isWhole || in.note.Records > 0) {
			loads = append(loads, in.load())
		}
		if _, isRefusal := err.(*bulkError); first == nil {
			first = err
		} else if err != nil && !isRefusal { // those are told together, at the end
			explain(i.stderr, err) // the exit code is that of the first
		}
		if !in.isWhole && (!i.dryRun || cmd.Context().Err() != nil) {
			i.leaveOut(paths[n+1:], path)
			break
		}
	}
	if err := i.print(cmd, loads); err != nil {
		return err
	}
	if refusal, ok := first.(*bulkError); ok {
		refused, all := 0, 0
		for _, l := range loads {
			refused, all = refused+l.Refused, all+l.Recorded+l.Sound+l.Replayed+l.Refused
		}
		return refusedOf(refused, all, refusal.first)
	}
	return first
}

// leaveOut says, after why, which files were not begun: what they tell may come after what stands in the one that was left.
func (i *ingesting) leaveOut(paths []string, left string) {
	for _, path := range paths {
		i.last = append(i.last, fmt.Sprintf("%s: not begun, since %s did not come to its end: take it in after that", path, left))
	}
}

// sane finds flags that make no sense together.
func (i *ingesting) sane(cmd *cobra.Command, paths []string) error {
	fault := func(text string, args ...any) error {
		return &usageError{err: fmt.Errorf(text, args...), command: cmd.CommandPath()}
	}
	switch {
	case len(paths) > 1 && i.rejectsPath != "":
		return fault("--rejects is for one FILE; several have one each, beside them")
	case len(paths) > 1 && i.notePath != "":
		return fault("--progress is for one FILE; several have one each, beside them")
	}
	// Each file with what is written beside it, by whichever name.
	var taken []location
	for _, path := range paths {
		for _, name := range []string{path, i.rejectsOf(path), i.noteOf(path)} {
			if name == "" {
				continue
			}
			at := locate(name)
			if slices.ContainsFunc(taken, at.is) {
				return fault("%s is named twice: FILE, --rejects and --progress are files of their own", name)
			}
			taken = append(taken, at)
		}
	}
	return nil
}

// rejectsOf is the file of what is refused of the one of the path.
func (i *ingesting) rejectsOf(path string) string {
	ending, again := ".rejects.ndjson", 1
	if found := refusedBefore.FindStringSubmatch(path); found != nil {
		if found[2] != "" {
			again, _ = strconv.Atoi(found[2])
		}
		path, ending = strings.TrimSuffix(path, found[1]), fmt.Sprintf(".rejects-%d.ndjson", again+1)
	}
	return besides(path, i.rejectsPath, ending)
}

// refusedBefore is a file of what was refused, and how often.
var refusedBefore = regexp.MustCompile(`^.+(\.rejects(?:-([1-9][0-9]{0,5}))?\.ndjson)$`)

// noteOf is the file that remembers how far the one of the path is.
func (i *ingesting) noteOf(path string) string { return besides(path, i.notePath, ".progress") }

// besides is a file that belongs to the one of the path; a pipe has none of its own.
func besides(path, named, ending string) string {
	if named != "" || isPipe(path) {
		return named
	}
	return path + ending
}

// end leaves what a later run needs, and says what to do next.
func (in *intake) end(ctx context.Context, failed error) error {
	if in.isWhole && !in.halted && failed == nil {
		if in.notes != "" && !in.dryRun {
			_ = os.Remove(in.notes) // where it is not, nothing is lost
		}
		in.advise()
		if in.note.Records == 0 {
			in.tell("there are no records in it")
		}
		return in.counts.refusals()
	}
	in.isWhole = false
	var broken *brokenOff
	switch in.keep(); {
	case in.dryRun || in.note.Records == 0:
	case in.notes != "" && errors.As(failed, &broken) && broken.isCut():
		in.tell("stopped after line %d, behind which the file is cut off: put the whole one in its place, under the same name; the same command then goes on from there", in.note.Line)
	case in.notes != "":
		in.tell("stopped after line %d; the same command goes on from there", in.note.Line)
	default:
		in.tell("stopped after line %d; nothing remembers that (see --progress), but what is sent again counts once", in.note.Line)
	}
	if failed == nil && ctx.Err() != nil {
		return &stopped{ctx.Err()}
	}
	return failed
}

// stopped is a load that was interrupted.
type stopped struct{ cause error }

func (e *stopped) Error() string { return "interrupted" }
func (e *stopped) Unwrap() error { return e.cause }

// advise says what to do about what was refused.
func (in *intake) advise() {
	if in.rejects.written > 0 {
		in.tell("refused records and the reasons are in %s (customer data); mend it, then: amends ingest %s%s", in.rejects.path, in.ofRecords(), in.rejects.path)
	}
	if in.counts.failed > 0 && in.rejects.path == "" && !in.dryRun {
		in.tell("what is refused is kept nowhere: name a file for it with --rejects")
	}
	if in.noIDs > 0 && !in.makeIDs {
		in.tell("%d %s without an id: give each one that stays the same whenever it is sent, or see --make-ids", in.noIDs, plural(in.noIDs, "record"))
	}
}

// ofRecords are the flags that say something of all records, without which the same ones would be others.
func (i *ingesting) ofRecords() (flags string) {
	if i.tenant != "" {
		flags += "--tenant " + i.tenant + " "
	}
	if i.makeIDs {
		flags += "--make-ids "
	}
	return flags
}

// refusals is nil if nothing was refused.
func (t tally) refusals() error {
	if t.first == nil {
		return nil
	}
	return refusedOf(t.failed, t.recorded+t.replayed+t.failed, t.first)
}

func refusedOf(refused, all int, first error) error {
	return &bulkError{first: first, text: fmt.Sprintf("%d of %d records were refused", refused, all)}
}

// print writes the summary.
func (i *ingesting) print(cmd *cobra.Command, loads []show.Load) error {
	if len(loads) == 0 {
		return nil
	}
	if *i.output == "json" {
		return json.NewEncoder(i.stdout).Encode(map[string]any{"dryRun": i.dryRun, "files": loads})
	}
	_, err := fmt.Fprint(i.stdout, show.Loads(loads, i.dryRun, i.page(cmd)))
	return err
}
