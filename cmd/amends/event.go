package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// eventFlags describe one failure on the command line: one flag for each field of a FailureEvent.
type eventFlags struct {
	event       recoveryv1.FailureEvent_builder
	customer    recoveryv1.CustomerProfile_builder
	attribution recoveryv1.Attribution_builder

	occurredAt moment
	delay      time.Duration
	departsIn  time.Duration
	departsAt  moment
	rejected   bool
	severity   float64
	control    float64
}

// eventFlagNames are the flags of one event alone: with -f the events stand in the file instead.
var eventFlagNames = []string{
	"event-id", "customer", "occurred-at", "kind", "delay", "order", "incident", "value", "loss", "entitlement", "severity",
	"rejected", "voice", "channel", "reach", "departs-in", "departs-at", "resource", "evidence", "locale",
	"locus", "motive", "controllability", "recurring", "relationship", "lifetime-value", "orders", "loyalty",
}

// eventNames lists what the flags of an event can be told by name.
func eventNames() string {
	return strings.Join([]string{
		namesOf[recoveryv1.FailureKind]("--kind"), namesOf[recoveryv1.Channel]("--channel"), namesOf[recoveryv1.Voice]("--voice"),
		namesOf[recoveryv1.Locus]("--locus"), namesOf[recoveryv1.Motive]("--motive"), namesOf[recoveryv1.ResourceLost]("--resource"),
		namesOf[recoveryv1.Corroboration]("--evidence"), namesOf[recoveryv1.Relationship]("--relationship"),
	}, "\n")
}

func (f *eventFlags) add(cmd *cobra.Command) {
	f.addFailure(cmd)
	f.addVoice(cmd)
	f.addBlame(cmd)
	f.addProfile(cmd)
}

func (f *eventFlags) addFailure(cmd *cobra.Command) {
	flags, e := cmd.Flags(), &f.event
	flags.StringVar(&e.EventId, "event-id", "", "`ID` of this event, compared within a customer: the same id with the same content changes nothing, and the time is content,\nso name --occurred-at beside it (default: a new one, which holds the time)")
	flags.StringVar(&e.CustomerId, "customer", "", "`ID` of the customer, opaque: no name, no address")
	flags.Var(&f.occurredAt, "occurred-at", "when it happened: RFC 3339, or from now such as -2h (default: the time in the event id, else now)")
	addEnums(cmd, &e.Kinds, "kind", "what went wrong; several with commas or by repeating the flag")
	flags.Var(delayValue{spanValue{&f.delay}}, "delay", "how late it was, such as 45m or 2d; for the kind LATE")
	flags.StringVar(&e.OrderId, "order", "", "`ID` of the order that failed; failures of one order join one case")
	flags.StringVar(&e.IncidentId, "incident", "", "`ID` of the incident that hit many customers alike")
	flags.Var(moneyValue{&e.OrderValue}, "value", `what the failed thing cost, such as "18.00 USD"`)
	flags.Var(moneyValue{&e.Loss}, "loss", "what the customer lost (default: the value)")
	flags.Var(moneyValue{&e.Entitlement}, "entitlement", "what law or contract grants anyway")
	flags.Float64Var(&f.severity, "severity", 0, "how bad it was, `0..1`, in place of the computed severity")
	bound(cmd, "severity", 0, 1)
	flags.BoolVar(&f.rejected, "rejected", false, "what came is of no use to the customer")
	addEnum(cmd, &e.ResourceLost, "resource", "what the customer lost (default: by the kinds)")
	flags.StringVar(&e.Locale, "locale", "", "`LANGUAGE` of the customer, such as de-AT")
}

func (f *eventFlags) addVoice(cmd *cobra.Command) {
	flags, e := cmd.Flags(), &f.event
	addEnum(cmd, &e.Voice, "voice", "how we know (default: by the channel; without one, UNVOICED)")
	addEnum(cmd, &e.Channel, "channel", "where the customer said it")
	flags.Int64Var(&e.Reach, "reach", 0, "how many `PEOPLE` may see it")
	bound(cmd, "reach", 0, math.Inf(1))
	addEnum(cmd, &e.Corroboration, "evidence", "how well it is attested (default: SYSTEM_OBSERVED when unvoiced, else CLAIM_ONLY)")
	flags.Var(spanValue{&f.departsIn}, "departs-in", "the customer is on the premises and leaves in, such as 2h")
	flags.Var(&f.departsAt, "departs-at", "the customer is on the premises and leaves at (RFC 3339)")
}

func (f *eventFlags) addBlame(cmd *cobra.Command) {
	a := &f.attribution
	addEnum(cmd, &a.Locus, "locus", "who caused it (default: FIRM)")
	addEnum(cmd, &a.Motive, "motive", "the motive that the customer sees (default: UNINTENDED)")
	cmd.Flags().Float64Var(&f.control, "controllability", 0, "how far we could have prevented it, `0..1` (default: by the locus)")
	bound(cmd, "controllability", 0, 1)
	cmd.Flags().BoolVar(&a.Recurring, "recurring", false, "the cause is known to come back")
}

func (f *eventFlags) addProfile(cmd *cobra.Command) {
	flags, c := cmd.Flags(), &f.customer
	addEnum(cmd, &c.Relationship, "relationship", "how close the customer is (default: by orders and loyalty)")
	flags.Var(moneyValue{&c.LifetimeValue}, "lifetime-value", "what the customer is expected to bring in over the years")
	flags.Int64Var(&c.OrdersTotal, "orders", 0, "how many orders the customer has placed so far, a `NUMBER`")
	bound(cmd, "orders", 0, math.Inf(1))
	flags.BoolVar(&c.LoyaltyMember, "loyalty", false, "the customer belongs to the loyalty programme")
}

// build makes the event that the flags describe. What is wrong with its content is the service's to say; here only what it needs to
// be an event at all. times are the flags that, beside its id, make a repetition of the same event.
func (f *eventFlags) build(cmd *cobra.Command, now time.Time) (event *recoveryv1.FailureEvent, times string, err error) {
	var faults []error
	if f.event.CustomerId == "" {
		faults = append(faults, errors.New("--customer is missing: the id of the customer"))
	}
	if len(f.event.Kinds) == 0 {
		names, _ := shortNames[recoveryv1.FailureKind]()
		faults = append(faults, errors.New("--kind is missing: what went wrong, of "+strings.Join(names, ", ")))
	}
	if late := recoveryv1.FailureKind_FAILURE_KIND_LATE; cmd.Flag("delay").Changed && len(f.event.Kinds) > 0 && !slices.Contains(f.event.Kinds, late) {
		faults = append(faults, errors.New("--delay says how late it was: add LATE to --kind, or leave --delay out"))
	}
	if cmd.Flag("departs-in").Changed && cmd.Flag("departs-at").Changed {
		faults = append(faults, errors.New("--departs-in and --departs-at both say when the customer leaves: leave one out"))
	}
	if len(faults) > 0 {
		return nil, "", &usageError{err: errors.Join(faults...), command: cmd.CommandPath()}
	}
	b := f.event
	if b.EventId == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, "", fmt.Errorf("an id for the event: %w", err)
		}
		b.EventId = id.String()
	}
	times = f.fixTimes(&b, now)
	f.fillOptional(cmd, &b)
	return b.Build(), times, nil
}

// fixTimes turns what was counted from now into moments. A repetition must not count from another now: the flags that say the same
// in absolute terms are the answer, empty if none are needed.
func (f *eventFlags) fixTimes(b *recoveryv1.FailureEvent_builder, now time.Time) (again string) {
	at, again := occurred(f.occurredAt, b.EventId, now)
	b.OccurredAt = timestamppb.New(at)
	departs := f.departsAt
	if f.departsIn != 0 {
		departs = moment{relative: f.departsIn, isSet: true}
	}
	if departs.isSet {
		at := departs.since(now.Truncate(time.Second))
		b.DepartsAt = timestamppb.New(at)
		flag := " --departs-at " + at.UTC().Format(time.RFC3339Nano)
		switch {
		case f.departsIn != 0: // which says the same, and is refused beside it
			again += ", and" + flag + " in place of --departs-in"
		case departs.at == nil:
			again += flag
		}
	}
	return again
}

func (f *eventFlags) fillOptional(cmd *cobra.Command, b *recoveryv1.FailureEvent_builder) {
	given := func(name string) bool { return cmd.Flag(name).Changed }
	if given("delay") {
		b.Delay = durationpb.New(f.delay)
	}
	if given("severity") {
		b.Severity = &f.severity
	}
	if f.rejected {
		b.Acceptance = recoveryv1.Acceptance_ACCEPTANCE_REJECTED
	} else if given("rejected") {
		b.Acceptance = recoveryv1.Acceptance_ACCEPTANCE_ACCEPTED
	}
	attribution := f.attribution
	if given("controllability") {
		attribution.Controllability = &f.control
	}
	if a := attribution.Build(); proto.Size(a) > 0 {
		b.Attribution = a
	}
	if c := f.customer.Build(); proto.Size(c) > 0 {
		b.Customer = c
	}
}

// occurred is when something happened: as it was said, else the time in its id, else now. again is the flag that says the same at another
// now, empty if it needs none.
func occurred(said moment, id string, now time.Time) (at time.Time, again string) {
	at = now.Truncate(time.Millisecond)
	if said.isSet {
		at = said.since(at)
	} else if made, ok := timeOf(id); ok {
		return made, ""
	}
	if said.at == nil {
		again = " --occurred-at " + at.UTC().Format(time.RFC3339Nano)
	}
	return at, again
}

// timeOf is the moment in which a version 7 UUID was made, to the millisecond.
func timeOf(id string) (time.Time, bool) {
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.Version() != 7 {
		return time.Time{}, false
	}
	milliseconds := int64(0)
	for _, b := range parsed[:6] {
		milliseconds = milliseconds<<8 | int64(b)
	}
	return time.UnixMilli(milliseconds).UTC(), true
}
