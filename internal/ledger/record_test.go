package ledger

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"pgregory.net/rapid"

	"github.com/makeamends/amends/internal/recovery"
	ledgerv1 "github.com/makeamends/amends/proto/recovery/ledger/v1"
)

// Whatever is written is, byte for byte, what the generated code makes of the
// message: no field has another number or kind than the schema says.
func TestRecordsAreWrittenAsTheSchemaSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := state{
			tenant: rapid.String().Draw(t, "tenant"),
			closed: rapid.SliceOfN(rapid.Int64(), 0, 3).Draw(t, "closed"),
			seen:   rapid.SliceOfN(rapid.Custom(drawSeen), 0, 3).Draw(t, "seen"),
			erased: []erasedDay{{rapid.Int32().Draw(t, "day"), rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(t, "hashes")}},
		}
		fill(t, "Customer", reflect.ValueOf(&s.customer).Elem())
		body, err := s.encode()
		sameAs(t, &ledgerv1.State{}, body, err)
		body, err = encodeTombstone(s.customer, s.erased)
		sameAs(t, &ledgerv1.Tombstone{}, body, err)

		answer := []byte(rapid.String().Draw(t, "answer"))
		body, err = written(&answered{[]byte("finger"), []byte("once"), answer, []byte("id"), answer}, answeredFields)
		sameAs(t, &ledgerv1.Seen{}, body, err)

		var k recovery.Case
		var e recovery.Transition
		fill(t, "Case", reflect.ValueOf(&k).Elem())
		fill(t, "Transition", reflect.ValueOf(&e).Elem())
		body, err = encodeEvent(origin{key: "key", tenant: s.tenant, now: k.OpenedAt, trace: k.TraceParent}, &k, e)
		sameAs(t, &ledgerv1.Event{}, body, err)
	})
}

func sameAs(t *rapid.T, m proto.Message, body []byte, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(body, m); err != nil {
		t.Fatalf("%T: %v", m, err)
	}
	unknown(t, m.ProtoReflect())
	again, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, body) {
		t.Fatalf("%T is written as\n%x, its own code writes\n%x", m, body, again)
	}
}

// unknown fails if a message, or one within, has a field that the schema does not.
func unknown(t *rapid.T, m protoreflect.Message) {
	if b := m.GetUnknown(); len(b) > 0 {
		t.Fatalf("%s has fields that it does not know: %x", m.Descriptor().FullName(), b)
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				unknown(t, v.List().Get(i).Message())
			}
		default:
			unknown(t, v.Message())
		}
		return true
	})
}

// Whatever the generated code writes is read, and written again as it was: every
// field of the schema is known.
func TestRecordsAreReadAsTheSchemaSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &ledgerv1.State{}
		fillMessage(t, m.ProtoReflect())
		body, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		s, err := decodeState(string(body))
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.encode()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, body) {
			t.Fatalf("%v\nwas %x\nis  %x", m, body, again)
		}
	})
}

// fillMessage draws a value for every field, as far as a value of package recovery
// can hold it.
func fillMessage(t *rapid.T, m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		name := string(f.FullName())
		switch {
		case f.Options().(*descriptorpb.FieldOptions).GetDeprecated(): // is neither written nor read any more
		case f.IsList():
			for range rapid.IntRange(0, 3).Draw(t, name) {
				if f.Message() != nil {
					fillMessage(t, m.Mutable(f).List().AppendMutable().Message())
				} else {
					m.Mutable(f).List().Append(scalar(t, f))
				}
			}
		case f.Message() != nil:
			fillMessage(t, m.Mutable(f).Message())
		case !f.HasOptionalKeyword() || rapid.Bool().Draw(t, name+" is stated"):
			m.Set(f, scalar(t, f))
		}
	}
	if k, ok := m.Interface().(*ledgerv1.Case); ok && len(k.GetAccounts()) == 1 && proto.Equal(k.GetAccounts()[0], k.GetFailure()) {
		k.SetAccounts([]*ledgerv1.Failure{{}}) // is the failure itself
	}
	if d, ok := m.Interface().(*ledgerv1.Deadline); ok && d.GetVerdict() != uint32(recovery.Pending) {
		d.SetTraceParent("") // is kept until the verdict
	}
}

func scalar(t *rapid.T, f protoreflect.FieldDescriptor) protoreflect.Value {
	name := string(f.FullName())
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOf(rapid.Bool().Draw(t, name))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOf(uint32(rapid.Uint8().Draw(t, name)))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOf(rapid.Int32().Draw(t, name))
	case protoreflect.Int64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOf(rapid.Int64().Draw(t, name))
	case protoreflect.Fixed64Kind:
		return protoreflect.ValueOf(rapid.Uint64().Draw(t, name))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOf(rapid.Float64().Draw(t, name))
	case protoreflect.StringKind:
		return protoreflect.ValueOf(rapid.String().Draw(t, name))
	case protoreflect.BytesKind:
		return protoreflect.ValueOf(rapid.SliceOf(rapid.Byte()).Draw(t, name))
	default:
		t.Fatalf("%s: a field of kind %v; teach this test", name, f.Kind())
		panic("unreached")
	}
}

// A record with a value of its own in every field, and what it says, as it was
// when records were still written by the generated code: no two fields have
// changed places since.
func TestAnOldRecordMeansWhatItMeant(t *testing.T) {
	body, err := os.ReadFile("testdata/state.bin")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/state.json")
	if err != nil {
		t.Fatal(err)
	}
	want := state{tenant: "shop", closed: []int64{3, 1 << 40, -1}, erased: []erasedDay{{19999, []byte("0123456789abcdef")}}}
	if err := json.Unmarshal(text, &want.customer); err != nil {
		t.Fatal(err)
	}
	got, err := decodeState(string(body))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(state{}, erasedDay{})); diff != "" {
		t.Errorf("it says (-want +got):\n%s", diff)
	}
}

// Protobuf lets fields come in any order, numbers of a list each by itself, and a
// message in pieces, and newer binaries add fields anywhere.
func TestRecordsOfOtherWritersAreRead(t *testing.T) {
	customer, err := state{customer: recovery.Customer{Cases: 7}}.encode()
	if err != nil {
		t.Fatal(err)
	}
	body := parcel(t, func(b []byte) []byte {
		b = protowire.AppendTag(b, 999, protowire.StartGroupType)
		b = protowire.AppendTag(b, 999, protowire.EndGroupType)
		b = append(b, customer...)
		for _, number := range []int64{3, -4} {
			b = protowire.AppendTag(b, 2, protowire.VarintType)
			b = protowire.AppendVarint(b, uint64(number))
		}
		b = protowire.AppendTag(b, 2, protowire.BytesType)
		b = protowire.AppendBytes(b, []byte{5, 6})
		b = protowire.AppendTag(b, 1, protowire.VarintType) // another kind than it has: not the field
		b = protowire.AppendVarint(b, 1)
		b = protowire.AppendTag(b, 4, protowire.BytesType)
		b = protowire.AppendBytes(b, []byte{5 << 3, 9}) // further fields of the customer: 9 orders
		b = protowire.AppendTag(b, 1, protowire.BytesType)
		b = protowire.AppendString(b, "shop")
		b = protowire.AppendTag(b, 2, protowire.VarintType)
		return protowire.AppendVarint(b, 7)
	})
	want := state{tenant: "shop", closed: []int64{3, -4, 5, 6, 7}, customer: recovery.Customer{Cases: 7, Orders: 9}}
	got, err := decodeState(string(body))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(state{})); diff != "" {
		t.Errorf("it says (-want +got):\n%s", diff)
	}
}

// parcel is a message that the generated code reads.
func parcel(t *testing.T, write func([]byte) []byte) []byte {
	t.Helper()
	b := write(nil)
	if err := proto.Unmarshal(b, &ledgerv1.State{}); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTextsMustBeTexts(t *testing.T) {
	if _, err := (state{tenant: "\xff"}).encode(); err == nil {
		t.Error("it is written")
	}
	if _, err := decodeState("\x0a\x01\xff"); err == nil {
		t.Error("it is read")
	}
}

// FuzzRecord reads whatever bytes there are: what the generated code takes for
// damaged is damaged, and nothing else is.
func FuzzRecord(f *testing.F) {
	old, err := os.ReadFile("testdata/state.bin")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(old)
	typical, err := state{tenant: "shop", customer: typical()}.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(typical)
	for i := 0; i < len(typical); i += 5 { // cut off, and one bit turned
		f.Add(typical[:i])
		turned := bytes.Clone(typical)
		turned[i] ^= 1 << (i % 8)
		f.Add(turned)
	}
	s, err := decodeState(string(typical))
	if err != nil {
		f.Fatal(err)
	}
	brief, err := writtenText(&s, stateFields, true)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(brief))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := decodeState(string(body))
		brief := bytes.HasPrefix(body, []byte(briefMark)) // which the generated code does not know
		if generated := proto.Unmarshal(body, &ledgerv1.State{}); !brief && (err == nil) != (generated == nil) {
			t.Fatalf("read: %v; by the generated code: %v", err, generated)
		}
		if err != nil {
			return
		}
		again, err := s.encode()
		if err != nil {
			t.Fatal(err)
		}
		same, err := decodeState(string(again))
		if err != nil {
			t.Fatal(err)
		}
		last, err := same.encode()
		if err != nil || !bytes.Equal(again, last) {
			t.Fatalf("written and read again it is another: %v", err)
		}
	})
}
