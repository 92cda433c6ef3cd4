package policy

import (
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/makeamends/amends/internal/recovery"
	policyv1 "github.com/makeamends/amends/proto/recovery/policy/v1"
)

// compiler turns the message into rules, section by section, and reports what
// no rule of a single field can say. A section with a fault is compiled as far
// as it goes; the rules are used only if there is no fault at all.
type compiler struct {
	*source
	message *policyv1.Policy
	rules   *recovery.Policy
	kept    bool // its cases are judged by it already
}

func (c *compiler) compile() {
	c.severity()
	c.memory()
	c.risk()
	c.escalation()
	c.deadlines()
	c.compensation()
	c.menu()
	c.options()
	c.apology()
	c.guard()
	c.currencies()
	if !c.kept {
		c.sense()
	}
}

// require reports a fault of a field, unless it is missing or has one already.
func (c *compiler) require(holds bool, p path, format string, args ...any) {
	if !holds && c.Sound(p) {
		c.Add(p, format, args...)
	}
}

// bound is a value with its place, to be compared with others.
type bound struct {
	at    path
	value float64
}

// ascending requires each value to be at least the one before, or above it.
func (c *compiler) ascending(strictly bool, bounds ...bound) {
	for i := 1; i < len(bounds); i++ {
		low, high := bounds[i-1], bounds[i]
		switch {
		case !c.Sound(low.at) || high.value > low.value:
		case strictly:
			c.require(false, high.at, "must be above %s", low.at)
		case high.value < low.value:
			c.require(false, high.at, "must not be below %s", low.at)
		}
	}
}

// unique reports names that a list has already; the path leads to the name.
func (c *compiler) unique(seen map[string]path, p path, name string) {
	if first, twice := seen[name]; twice && name != "" {
		c.Add(p, "%s is there already, in %s", name, first)
		return
	}
	seen[name] = p
}

// term is what the decision calls a value of the contract's enum; both have
// the same names.
func term[T interface {
	~uint8
	String() string
}](value protoreflect.Enum) (t T) {
	if value.Number() == 0 {
		return t // not stated; every name beyond the known ones reads alike
	}
	name := shortName(value)
	for i := T(1); i < 64; i++ {
		if i.String() == name {
			return i
		}
	}
	return 0
}

// shortName is the name of an enum's value without prefix, such as LATE.
func shortName(value protoreflect.Enum) string {
	enum := value.Descriptor()
	prefix := strings.TrimSuffix(string(enum.Values().ByNumber(0).Name()), "UNSPECIFIED")
	if v := enum.Values().ByNumber(value.Number()); v != nil {
		return strings.TrimPrefix(string(v.Name()), prefix)
	}
	return ""
}

func duration(p *policyv1.Period) time.Duration { return p.GetValue().AsDuration() }
