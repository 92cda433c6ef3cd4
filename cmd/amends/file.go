package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// fileFlags are the flags of a command that can take its messages from a file.
type fileFlags struct {
	path   string
	failed string
	lanes  int
}

func addFile(cmd *cobra.Command, what string) *fileFlags {
	f := &fileFlags{}
	flags := cmd.Flags()
	flags.StringVarP(&f.path, "file", "f", "", "`FILE` of "+what+" in JSON: one, an array, or one a line; - for standard input")
	flags.StringVar(&f.failed, "failed", "", "`FILE` to write the records to that failed or were not sent, to be sent again")
	flags.IntVar(&f.lanes, "concurrency", 8, "with -f: how many calls at once, `1..64`")
	return f
}

// check finds flags that make no sense beside -f.
func (f *fileFlags) check(cmd *cobra.Command, single []string) error {
	for _, name := range single {
		if cmd.Flag(name).Changed {
			return &usageError{err: fmt.Errorf("--%s describes one record; with -f the records stand in the file", name), command: cmd.CommandPath()}
		}
	}
	var faults []error
	if f.lanes < 1 || f.lanes > 64 {
		faults = append(faults, fmt.Errorf("--concurrency %d: must be 1 to 64", f.lanes))
	}
	if f.failed != "" && locate(f.path).is(locate(f.failed)) {
		faults = append(faults, fmt.Errorf("%s is named twice: with --file and with --failed", f.path))
	}
	if len(faults) > 0 {
		return &usageError{err: errors.Join(faults...), command: cmd.CommandPath()}
	}
	return nil
}

// open gives the file's content, its name for messages, and how to let go of it.
func (f *fileFlags) open(ctx context.Context, app *app) (io.Reader, string, func(), error) {
	if f.path == "-" {
		return interruptible(ctx, app.stdin), "standard input", func() {}, nil
	}
	file, err := os.Open(f.path)
	if err != nil {
		return nil, "", nil, &usageError{err: err}
	}
	return file, f.path, func() { _ = file.Close() }, nil
}

// interruptible ends with ctx even while in has nothing to say, as a terminal may.
func interruptible(ctx context.Context, in io.Reader) io.Reader {
	return pumped(ctx, func(out io.Writer) error {
		_, err := io.Copy(out, in)
		return err
	})
}

// pumped gives what is pumped, until ctx ends or it is closed.
func pumped(ctx context.Context, pump func(io.Writer) error) io.ReadCloser {
	out, in := io.Pipe()
	go func() { _ = in.CloseWithError(pump(in)) }()
	context.AfterFunc(ctx, func() { _ = out.CloseWithError(ctx.Err()) })
	return out
}

// transfer sends the records of the file through b, writes what write makes of each answer, every fault with its line, and a summary.
// Where answers cannot be written any more it sends no further records, and keeps those as it does the ones that failed.
func (f *fileFlags) transfer(cmd *cobra.Command, app *app, b *bulk, write func(*item) error) (err error) {
	in, name, closeFile, err := f.open(cmd.Context(), app)
	if err != nil {
		return err
	}
	defer closeFile()
	beginning := bufio.NewReaderSize(in, 4<<10)
	if start, _ := beginning.Peek(4 << 10); isPacked(start) {
		return &usageError{err: fmt.Errorf("%s looks like gzip: amends ingest %s", name, shellWord(f.path))}
	} else if isTable(start) {
		return &usageError{err: fmt.Errorf("%s looks like CSV: amends ingest %s", name, shellWord(f.path))}
	}
	in = beginning
	rescue := io.Discard
	if f.failed != "" {
		if err := overwritesNothing(f.failed, cmd.CommandPath()+" -f", "--failed"); err != nil {
			return err
		}
		file, err := openKept(f.failed)
		if err != nil {
			return &usageError{err: fmt.Errorf("--failed: %w", err)}
		}
		// What cannot be kept must not pass for kept.
		defer func() { err = errors.Join(err, file.Close()) }()
		rescue = file
		// Who stops reading the answers, as head does, is not to end the program before the rest is kept.
		signal.Ignore(syscall.SIGPIPE)
		defer signal.Reset(syscall.SIGPIPE)
	}
	var counts tally
	var unwritten error
	bar := newProgress(app)
	b.lanes = f.lanes
	b.emit = func(it *item) error {
		if cmd.Context().Err() != nil && errors.As(it.err, new(*brokenOff)) {
			return nil // the interruption ended the file, and no record has that fault
		}
		counts.add(it)
		defer bar.draw(counts)
		if it.err == nil {
			bar.clear()
			if unwritten != nil {
				return nil
			}
			if unwritten = write(it); unwritten != nil {
				b.stopped.Store(true)
			}
			return nil
		}
		if !errors.Is(it.err, errNotSent) {
			bar.clear()
			complain(app.stderr, name, it)
		}
		return keep(rescue, it.raw)
	}
	if err := b.run(cmd.Context(), records(in)); err != nil {
		return err
	}
	bar.clear()
	if unwritten != nil {
		fmt.Fprintln(app.stderr, counts)
		return fmt.Errorf("the answers cannot be written: %w", unwritten)
	}
	if cmd.Context().Err() != nil {
		return &interruption{"interrupted: " + counts.String()}
	}
	if err := counts.err(); err != nil {
		return err
	}
	fmt.Fprintln(app.stderr, counts)
	return nil
}

// isPacked tells gzip.
func isPacked(start []byte) bool { return bytes.HasPrefix(start, []byte{0x1f, 0x8b}) }

// isTable tells a CSV file from JSON by its header.
func isTable(start []byte) bool {
	start = bytes.TrimPrefix(start, []byte(byteOrder))
	if start = bytes.TrimLeft(start, " \t\r\n"); len(start) == 0 || start[0] == '{' || start[0] == '[' {
		return false
	}
	t, err := readHeader(&lineReader{in: bufio.NewReader(bytes.NewReader(start))})
	return err == nil && t != nil
}

// location is where a path leads, be there a file or not.
type location struct {
	path      string
	file, dir os.FileInfo // nil: there is none
}

func locate(path string) location {
	l := location{path: path}
	l.file, _ = os.Stat(path)
	l.dir, _ = os.Stat(filepath.Dir(path))
	return l
}

// is tells whether two paths lead to one file.
func (l location) is(other location) bool {
	return l.path == other.path || os.SameFile(l.file, other.file) ||
		filepath.Base(l.path) == filepath.Base(other.path) && os.SameFile(l.dir, other.dir)
}

// complain writes the fault of one record, each of its faulty fields on a line of its own, all with file and line in front.
func complain(w io.Writer, name string, it *item) {
	place := fmt.Sprintf("%s:%d: ", name, it.line)
	e := ofService(it.err)
	if e == nil {
		for line := range strings.SplitSeq(it.err.Error(), "\n") {
			fmt.Fprintf(w, "%s%s\n", place, line)
		}
		return
	}
	fmt.Fprintf(w, "%s%s\n", place, headline(e))
	for _, v := range e.Violations {
		fmt.Fprintf(w, "%s  %s: %s\n", place, v.Field, v.Description)
	}
}

// keep writes a record on one line, so that the file can be sent again; what is no JSON is kept as it is.
func keep(w io.Writer, raw []byte) error {
	if len(raw) == 0 {
		return nil
	}
	var line bytes.Buffer
	if json.Compact(&line, raw) != nil {
		line.Reset()
		line.Write(raw)
	}
	line.WriteByte('\n')
	_, err := w.Write(line.Bytes())
	return err
}
