package ledger

import (
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protowire"
	"pgregory.net/rapid"

	"github.com/makeamends/amends/internal/recovery"
)

// notKept are the fields that describe one change only.
var notKept = map[string]bool{"Customer.Closed": true, "Case.Fresh": true, "Case.Reported": true, "Deadline.Fresh": true}

func drawSeen(t *rapid.T) seenDay {
	return seenDay{rapid.Int32().Draw(t, "day"), rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "hashes"), rapid.Int32().Draw(t, "lists")}
}

// A field that is added to package recovery and forgotten in the codec is
// filled here all the same, and found missing.
func TestEveryFieldSurvivesTheStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c recovery.Customer
		fill(t, "Customer", reflect.ValueOf(&c).Elem())
		s := state{
			tenant:   rapid.String().Draw(t, "tenant"),
			closed:   rapid.SliceOfN(rapid.Int64(), 0, 3).Draw(t, "closed"),
			seen:     rapid.SliceOfN(rapid.Custom(drawSeen), 0, 3).Draw(t, "seen"),
			customer: c,
		}
		body, err := s.encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeState(string(body))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, got, cmp.AllowUnexported(state{}, seenDay{}), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("stored and read again (-want +got):\n%s", diff)
		}
	})
}

func TestAClosedCaseSurvivesTheStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var k recovery.Case
		fill(t, "Case", reflect.ValueOf(&k).Elem())
		body, err := encodeCase(k, false)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeCase(body)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(k, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("stored and read again (-want +got):\n%s", diff)
		}
	})
}

// fill draws a value for every exported field, however deep.
func fill(t *rapid.T, path string, v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(moment(rapid.Int64().Draw(t, path))))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name := v.Type().Name() + "." + f.Name
			if f.IsExported() && !notKept[name] {
				fill(t, name, v.Field(i))
			}
		}
		if d, ok := v.Addr().Interface().(*recovery.Deadline); ok && d.Verdict != recovery.Pending {
			d.TraceParent = "" // is kept until the verdict
		}
	case reflect.Slice:
		n := rapid.IntRange(0, 3).Draw(t, path)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(t, fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	case reflect.Pointer:
		if rapid.Bool().Draw(t, path) {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, path, v.Elem())
		}
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, path))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, path))
	case reflect.Uint8:
		v.SetUint(uint64(rapid.Uint8().Draw(t, path)))
	case reflect.Uint32:
		v.SetUint(uint64(rapid.Uint32().Draw(t, path)))
	case reflect.Uint64:
		v.SetUint(rapid.Uint64().Draw(t, path))
	case reflect.Float64:
		v.SetFloat(rapid.Float64().Draw(t, path))
	case reflect.String:
		v.SetString(rapid.String().Draw(t, path))
	default:
		t.Fatalf("%s: a field of kind %s; teach the codec and this test", path, v.Kind())
	}
}

func (s state) encode() ([]byte, error) { return written(&s, stateFields) }

func TestFieldsOfANewerBinaryAreSkipped(t *testing.T) {
	body, err := state{tenant: "shop"}.encode()
	if err != nil {
		t.Fatal(err)
	}
	body = protowire.AppendTag(body, 999, protowire.BytesType)
	body = protowire.AppendString(body, "from the future")
	got, err := decodeState(string(body))
	if err != nil || got.tenant != "shop" {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestMomentsBeyondTheEdgeKeepTheirOrder(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   time.Time
		want int64
	}{
		{"none", time.Time{}, 0},
		{"long before", time.Date(1066, 1, 1, 0, 0, 0, 0, time.UTC), math.MinInt64},
		{"long after", time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), math.MaxInt64},
		{"in another zone", time.Date(1970, 1, 1, 1, 0, 0, 5, time.FixedZone("", 3600)), 5},
	} {
		if got := nanos(tc.in); got != tc.want {
			t.Errorf("%s: nanos = %d, want %d", tc.name, got, tc.want)
		}
	}
}

// The only account of a failure is that failure, and stored once.
func TestTheOnlyAccountIsTheFailure(t *testing.T) {
	half, same := 0.5, 0.5
	k := recovery.Case{Failure: recovery.Failure{Kinds: recovery.Kinds(recovery.Late), Stated: &half}}
	alone, err := encodeCase(k, false)
	if err != nil {
		t.Fatal(err)
	}
	other := k.Failure
	other.Kinds = recovery.Kinds(recovery.Rude)
	for _, accounts := range [][]recovery.Failure{{{Kinds: k.Failure.Kinds, Stated: &same}}, {other}, {{}}, {k.Failure, other}} {
		k.Accounts = accounts
		body, err := encodeCase(k, false)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeCase(body)
		if err != nil || !cmp.Equal(got, k, cmpopts.EquateEmpty()) {
			t.Errorf("stored %+v, read %+v, %v", k, got, err)
		}
		if more, short := len(body)-len(alone), len(accounts) == 1 && equal(accounts[0], k.Failure); short != (more == 2) {
			t.Errorf("%+v takes %d bytes", accounts, more)
		}
	}
}
