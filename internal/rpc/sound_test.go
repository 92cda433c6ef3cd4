package rpc

import (
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

func soundEvent() *recoveryv1.FailureEvent {
	return recoveryv1.FailureEvent_builder{
		EventId: "event-1", Tenant: "shop", CustomerId: "c 1", OccurredAt: timestamppb.New(noon), OrderId: "o", IncidentId: "i",
		Kinds: []recoveryv1.FailureKind{recoveryv1.FailureKind_FAILURE_KIND_LATE, recoveryv1.FailureKind_FAILURE_KIND_QUALITY},
		Delay: &durationpb.Duration{Seconds: 60}, OrderValue: &money.Money{CurrencyCode: "USD", Units: 18}, Loss: &money.Money{CurrencyCode: "USD", Nanos: 5e8},
		Severity: new(0.5), Attribution: recoveryv1.Attribution_builder{Locus: recoveryv1.Locus_LOCUS_PARTNER, Controllability: new(1.0)}.Build(),
		Acceptance: recoveryv1.Acceptance_ACCEPTANCE_REJECTED, Voice: recoveryv1.Voice_VOICE_PUBLIC, Channel: recoveryv1.Channel_CHANNEL_SOCIAL,
		Reach: 9, DepartsAt: timestamppb.New(noon), ResourceLost: recoveryv1.ResourceLost_RESOURCE_LOST_TIME,
		Corroboration: recoveryv1.Corroboration_CORROBORATION_EVIDENCED,
		Customer: recoveryv1.CustomerProfile_builder{Relationship: recoveryv1.Relationship_RELATIONSHIP_STEADY,
			LifetimeValue: &money.Money{CurrencyCode: "USD", Units: 3}, OrdersTotal: 4, LoyaltyMember: true}.Build(),
	}.Build()
}

func TestUsualEventsArePlainlySound(t *testing.T) {
	least := recoveryv1.FailureEvent_builder{EventId: "e", CustomerId: "c", OccurredAt: timestamppb.New(noon),
		Kinds: []recoveryv1.FailureKind{recoveryv1.FailureKind_FAILURE_KIND_OTHER}}.Build()
	for name, e := range map[string]*recoveryv1.FailureEvent{"as little as possible": least, "nearly everything": soundEvent()} {
		if !plainlySound(e) {
			t.Errorf("%s: it is doubted", name)
		}
	}
	if plainlySound(nil) {
		t.Error("no event is sound")
	}
}

func soundBatch() []*recoveryv1.Interaction {
	item := recoveryv1.Interaction_builder{InteractionId: "interaction-1", Tenant: "shop", CustomerId: "c 1", OccurredAt: timestamppb.New(noon),
		Kind: recoveryv1.InteractionKind_INTERACTION_KIND_REFERRAL}
	return []*recoveryv1.Interaction{item.Build(), item.Build()}
}

func TestLengthsOfBatches(t *testing.T) {
	for n, sound := range map[int]bool{0: false, 1: true, mostBatch: true, mostBatch + 1: false} {
		if got := plainlySoundBatch(slices.Repeat(soundBatch()[:1], n)); got != sound {
			t.Errorf("%d good experiences: %v", n, got)
		}
	}
}

// What passes for sound keeps every rule of the contract: of an event or a batch in
// which any few fields, also such as were added since, were given a value near an edge.
func TestWhatIsPlainlySoundKeepsTheRules(t *testing.T) {
	rules, err := contractRules()
	if err != nil {
		t.Fatal(err)
	}
	for name, draw := range map[string]func(*rapid.T) (req proto.Message, passes bool){
		"a report": func(t *rapid.T) (proto.Message, bool) {
			e := soundEvent()
			spoilSome(t, e.ProtoReflect())
			return recoveryv1.ReportFailureRequest_builder{Event: e}.Build(), plainlySound(e)
		},
		"a batch": func(t *rapid.T) (proto.Message, bool) {
			batch := soundBatch()
			spoilSome(t, batch[1].ProtoReflect())
			return recoveryv1.RecordInteractionsRequest_builder{Interactions: batch}.Build(), plainlySoundBatch(batch)
		},
	} {
		t.Run(name, func(t *testing.T) {
			sound, refused := 0, 0
			check := func(t *rapid.T) {
				req, passes := draw(t)
				err := rules.Validate(req)
				switch {
				case err != nil && passes:
					t.Fatalf("%v passes for sound, but %v", req, err)
				case err != nil:
					refused++
				case passes:
					sound++
				}
			}
			for range 20 { // edges are many
				rapid.Check(t, check)
			}
			if sound == 0 || refused == 0 {
				t.Errorf("%d were sound, %d refused: this test shows nothing", sound, refused)
			}
		})
	}
}

func spoilSome(t *rapid.T, m protoreflect.Message) {
	for range rapid.IntRange(0, 3).Draw(t, "spoiled") {
		spoil(t, m)
	}
}

// spoil gives one field, at any depth, a value near an edge.
func spoil(t *rapid.T, m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	f := fields.Get(rapid.IntRange(0, fields.Len()-1).Draw(t, "field"))
	switch {
	case f.IsList():
		list := m.NewField(f).List()
		for range rapid.IntRange(0, 9).Draw(t, "length") {
			list.Append(edge(t, f))
		}
		m.Set(f, protoreflect.ValueOfList(list))
	case f.Message() != nil && rapid.IntRange(0, 5).Draw(t, "clear") == 0, rapid.IntRange(0, 9).Draw(t, "clear") == 0:
		m.Clear(f)
	case f.Message() != nil:
		spoil(t, m.Mutable(f).Message())
	default:
		m.Set(f, edge(t, f))
	}
}

func edge(t *rapid.T, f protoreflect.FieldDescriptor) protoreflect.Value {
	name := string(f.Name())
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOf(rapid.Bool().Draw(t, name))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(rapid.IntRange(-1, f.Enum().Values().Len()).Draw(t, name)))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOf(rapid.SampledFrom([]int32{math.MinInt32, -1, 0, 1, 999_999_999, 1_000_000_000, math.MaxInt32}).Draw(t, name))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOf(rapid.SampledFrom([]int64{math.MinInt64, -1, 0, 1, 316224000, 316224001, 946684799, 946684800,
			1_000_000_000, 1_000_000_001, 4102444799, 4102444800, 999_999_999_999, 1_000_000_000_000, math.MaxInt64}).Draw(t, name))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOf(rapid.SampledFrom([]float64{-0.1, 0, 1, 1.1, math.NaN(), math.Inf(1)}).Draw(t, name))
	case protoreflect.StringKind:
		return protoreflect.ValueOf(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "x", "\n", "\x7f", "é", "a-b", "-a", "_a", ".", "A", "EUR", "USD", "USd", "U D",
			"de", "de-AT", "d1", "de--AT", strings.Repeat("a", 64), strings.Repeat("a", 65), strings.Repeat("x", 128), strings.Repeat("x", 129)})).Draw(t, name))
	default:
		t.Fatalf("%s: a field of kind %v; teach this test", f.FullName(), f.Kind())
		panic("unreached")
	}
}

// BenchmarkRules compares the two.
func BenchmarkRules(b *testing.B) {
	rules, err := contractRules()
	if err != nil {
		b.Fatal(err)
	}
	req := recoveryv1.ReportFailureRequest_builder{Event: soundEvent()}.Build()
	for name, check := range map[string]func() bool{
		"of the contract": func() bool { return rules.Validate(proto.Message(req)) == nil },
		"plainly sound":   func() bool { return plainlySound(req.GetEvent()) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !check() {
					b.Fatal("it is refused")
				}
			}
		})
	}
}
