package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/rpc"
	"github.com/makeamends/amends/internal/show"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// intake is one file on its way into the service.
type intake struct {
	*ingesting
	path    string
	text    *text
	table   *table // nil: the file is JSON
	source  iter.Seq[record]
	rejects *rejects
	note    note
	notes   string // where the note is kept; empty: nowhere
	noted   time.Time
	read    fingerprint
	counts  tally
	bar     *progress
	told    int  // faults that were told
	noIDs   int  // records that were refused for they have none
	isOpen  bool // something may have been read
	isWhole bool // the file was read to its end
	halted  bool // at the first record without an answer
}

// open makes the file ready to be read from where an earlier run has come, unless it is interrupted: then that place stays noted.
func (in *intake) open(ctx context.Context) error {
	err := in.goTo(ctx)
	if errors.As(err, new(*stopped)) && !in.dryRun && !in.restart {
		if earlier, _ := readNote(in.notes); earlier != nil {
			in.tell("nothing was sent; the same command goes on after line %d", earlier.Line)
		}
	}
	return err
}

func (in *intake) goTo(ctx context.Context) error {
	if err := in.begin(ctx); err != nil {
		return err
	}
	in.note = note{Server: in.connection.server, Tenant: in.tenant, Format: in.text.format, MakeIDs: in.makeIDs}
	if in.dryRun {
		return in.rejects.check()
	}
	earlier, err := readNote(in.notes)
	if in.restart && (err != nil || earlier != nil) {
		in.tell("beginning anew, as --restart says")
		return in.rejects.check()
	}
	if err != nil {
		return err
	}
	if earlier == nil {
		return in.rejects.check()
	}
	if !earlier.isOf(&in.note) {
		in.tell("%s is of another server, tenant or format: beginning anew", in.notes)
		return in.rejects.check()
	}
	same, err := in.skip(ctx, earlier)
	if err != nil {
		in.text.close()
		return err
	}
	if !same {
		in.text.close()
		if isPipe(in.path) {
			return &usageError{err: fmt.Errorf("%s does not begin with the %d records that %s is about: give the same again, or begin anew with --restart", in.text.name, earlier.Records, in.notes)}
		}
		in.tell("the file has changed in what an earlier run had taken in: beginning anew")
		return errors.Join(in.begin(ctx), in.rejects.check())
	}
	in.tell("going on after line %d: an earlier run came so far (--restart begins anew)", earlier.Line)
	in.note, in.counts, in.bar.begun = *earlier, earlier.tally(), in.text.share()
	changed, err := in.rejects.goOn(earlier)
	if changed {
		in.tell("%s was changed meanwhile: it is left as it is, and what is refused from here on is added", in.rejects.path)
	}
	return err
}

// begin opens the file at its beginning.
func (in *intake) begin(ctx context.Context) (err error) {
	in.read, in.table = newFingerprint(), nil
	if in.text, err = in.openText(ctx, in.path, in.format.value); err != nil {
		return err
	}
	in.bar.share = nil
	if in.text.size > 0 {
		in.bar.share = in.text.share
	}
	if in.text.format == formatNDJSON {
		in.source = records(in.text.in)
		return nil
	}
	lines := &lineReader{in: in.text.in}
	in.source = rows(lines)
	if in.table, err = readHeader(lines); err != nil && !errors.Is(err, io.EOF) {
		in.text.close()
		return &usageError{err: fmt.Errorf("%s:%d: %w", in.text.name, max(lines.number, 1), err)}
	}
	return nil
}

// skip passes over the records that the note is about, and tells whether these are the same. It fails where that cannot be told, and then
// the note stays as it is.
func (in *intake) skip(ctx context.Context, earlier *note) (same bool, err error) {
	next, stop := iter.Pull(in.source)
	for range earlier.Records {
		r, ok := next()
		if err = in.broken(r); ctx.Err() != nil {
			err = &stopped{ctx.Err()}
		}
		if err != nil || !ok {
			stop()
			return false, err
		}
		in.read.add(r)
	}
	in.source = func(yield func(record) bool) {
		defer stop()
		for r, ok := next(); ok && yield(r); r, ok = next() {
		}
	}
	if in.read.String() == earlier.Hash {
		return true, nil
	}
	stop()
	return false, nil
}

// broken tells that the file cannot be read on from a record.
func (in *intake) broken(r record) error {
	var broken *brokenOff
	if !errors.As(r.err, &broken) {
		return nil
	}
	return &usageError{err: fmt.Errorf("%s:%d: %w", in.text.name, r.line, broken)}
}

// untilStopped are the records up to the moment in which nothing more is to be read.
func (in *intake) untilStopped(ctx context.Context) iter.Seq[record] {
	return func(yield func(record) bool) {
		for r := range in.source {
			if ctx.Err() != nil || !yield(r) {
				return
			}
		}
		in.isWhole = ctx.Err() == nil
	}
}

// decode makes an item of a record.
func (in *intake) decode(it *item) {
	if in.table != nil {
		in.table.decodeRow(it)
	} else {
		decodeJSON(it)
	}
	if it.err == nil {
		in.complete(it.message.(*recoveryv1.IngestRequest))
	}
	if it.err == nil && in.check != nil {
		it.err = in.checked(it.message)
	}
}

// complete adds what the command line says of all records.
func (in *intake) complete(request *recoveryv1.IngestRequest) {
	if event := request.GetFailure(); request.HasFailure() {
		event.SetTenant(unnamed(cmp.Or(event.GetTenant(), in.tenant)))
		if in.makeIDs && event.GetEventId() == "" {
			event.SetEventId(idOf(request))
		}
	}
	if positive := request.GetInteraction(); request.HasInteraction() {
		positive.SetTenant(unnamed(cmp.Or(positive.GetTenant(), in.tenant)))
		if in.makeIDs && positive.GetInteractionId() == "" {
			positive.SetInteractionId(idOf(request))
		}
	}
}

// unnamed leaves the default tenant without a name, so that it is the same one, with the same ids, however it is named.
func unnamed(tenant string) string {
	if tenant == rpc.DefaultTenant {
		return ""
	}
	return tenant
}

// idOf is an id made of the content: the same content has the same id wherever it stands.
func idOf(request *recoveryv1.IngestRequest) string {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)
	if err != nil {
		return "" // of texts that are no UTF-8, which the service refuses
	}
	sum := sha256.Sum256(raw)
	return "made-" + hex.EncodeToString(sum[:16])
}

// checked finds what the service would find without looking anything up.
func (in *intake) checked(message proto.Message) error {
	faults, err := in.check(message)
	if err != nil || len(faults) == 0 {
		return err
	}
	for i := range faults {
		faults[i] = inRecord(faults[i])
	}
	return &usageError{err: errors.New(strings.Join(faults, "\n"))}
}

// mostTold is how many faulty records are told of one by one where a file keeps them all.
const mostTold = 20

// emit takes one item whose fate is known, in the order of the file.
func (in *intake) emit(it *item) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.halted || errors.Is(it.err, errNotSent) {
		in.halted = true
		return nil
	}
	if err := in.broken(it.record); err != nil {
		return err
	}
	if it.err != nil {
		if err := in.refused(it); err != nil {
			return err // it is not dealt with, and comes again
		}
	}
	in.counts.add(it)
	in.read.add(it.record)
	in.note.Records++
	in.note.Line = it.line
	in.bar.draw(in.counts)
	if now := in.now(); now.Sub(in.noted) >= noted || in.note.Records%notedEach == 0 {
		in.noted = now
		in.keep()
	}
	return nil
}

// refused tells of a record that was refused, and keeps it.
func (in *intake) refused(it *item) error {
	why := reasons(it.err)
	if hasNoID(it.message) {
		in.noIDs++
	}
	if in.told++; in.told <= mostTold || in.rejects.path == "" {
		in.bar.clear()
		for _, reason := range why {
			fmt.Fprintf(in.stderr, "%s:%d: %s\n", in.text.name, it.line, reason)
		}
	} else if in.told == mostTold+1 {
		in.tell("more were refused; %s has all of them", in.rejects.path)
	}
	return in.rejects.add(in.entry(it))
}

// hasNoID tells of a record that could be read whether it lacks its id.
func hasNoID(message proto.Message) bool {
	request, _ := message.(*recoveryv1.IngestRequest)
	return request.HasFailure() && request.GetFailure().GetEventId() == "" || request.HasInteraction() && request.GetInteraction().GetInteractionId() == ""
}

// keep writes down how far the file has come.
func (in *intake) keep() {
	if in.notes == "" || in.dryRun || in.note.Records == 0 {
		return
	}
	n := &in.note
	n.Hash, n.Rejects, n.RejectsHash = in.read.String(), in.rejects.written, in.rejects.hash()
	n.Recorded, n.Replayed, n.Failed = in.counts.recorded, in.counts.replayed, in.counts.failed
	if err := errors.Join(in.rejects.sync(), n.write(in.notes)); err != nil {
		in.tell("how far it is cannot be kept, so that a later run would begin anew: %v", err)
		in.notes = ""
	}
}

// tell says something about the file on standard error.
func (in *intake) tell(text string, args ...any) {
	in.bar.clear()
	name := in.path
	if in.text != nil {
		name = in.text.name
	}
	fmt.Fprintf(in.stderr, "%s: %s\n", name, fmt.Sprintf(text, args...))
}

// load is the line of the file in the table at the end.
func (in *intake) load() show.Load {
	l := show.Load{
		File: in.text.name, Read: in.note.Records, Recorded: in.counts.recorded, Replayed: in.counts.replayed, Refused: in.counts.failed,
		Earlier: in.counts.before, Whole: in.isWhole, Seconds: in.now().Sub(in.bar.started).Seconds(), Line: in.note.Line,
	}
	if in.dryRun {
		l.Sound, l.Recorded = l.Recorded, 0
	}
	if in.rejects.written > 0 {
		l.Rejects = in.rejects.path
	}
	return l
}
