package rpc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/policy"
	"github.com/makeamends/amends/internal/recovery"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// answerRules have just what an answer shows of a policy.
func answerRules() recovery.Rules {
	p := &recovery.Policy{
		Currencies: map[string]recovery.Currency{"USD": {Digits: 2}, "EUR": {Digits: 2}, "JPY": {Digits: 0}},
		Menu:       []recovery.MenuItem{{ID: "tea", Text: "A cup of tea."}, {ID: "call", Text: "A call."}},
		Options:    recovery.OptionRules{Choices: []recovery.Choice{{Title: "a", Goodwill: recovery.Credit}, {Title: "b", Restitution: recovery.Refund}}},
		Apology: recovery.ApologyRules{
			Include: []recovery.ApologyRule{{Code: "sorry", Text: "Say sorry."}, {Code: "cause", Text: "Say why."}},
			Avoid:   []recovery.ApologyRule{{Code: "but", Text: "No but."}, {Code: "blame", Text: "No blame."}},
			Forms:   map[recovery.Channel]recovery.FormRule{},
			Private: recovery.FormRule{Text: "Answer them alone."},
		},
	}
	for kind := recovery.Entitlement; kind <= recovery.Gesture; kind++ {
		p.Compensation.Texts[kind] = "Give a " + kind.String()
	}
	for code := range p.Risk.Terms {
		p.Risk.Terms[code] = recovery.Term{Grade: recovery.Grade(code%6 + 1), Source: "source " + recovery.Code(code).String()}
	}
	return recovery.Rules{Active: p}
}

var fullOrigin = origin{"shop", "AbcdefghijklmnopqrstuV"}

// fullCase has a value of its own in every field.
func fullCase(t testing.TB) (k recovery.Case) {
	t.Helper()
	text, err := os.ReadFile("testdata/case.json")
	if err == nil {
		err = json.Unmarshal(text, &k)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// A case with a value of its own in every field is answered as it was when
// answers were still written by the generated code.
func TestAnAnswerSaysWhatItSaid(t *testing.T) {
	k := fullCase(t)
	text, err := os.ReadFile("testdata/answer.json")
	if err != nil {
		t.Fatal(err)
	}
	want := &recoveryv1.Case{}
	if err := protojson.Unmarshal(text, want); err != nil {
		t.Fatal(err)
	}
	got := encode(fullOrigin, &k, answerRules())
	if !proto.Equal(got, want) {
		t.Errorf("it says\n%s", protojson.Format(got))
	}
}

// Good experiences count up to a cap, those that the customer had among them.
func TestPositivesFallShort(t *testing.T) {
	p := &recovery.Policy{Risk: recovery.RiskRules{GoodwillCap: 24}}
	p.Risk.Terms[recovery.ReasonGoodwill].Weight = 0.05
	for _, tt := range []struct {
		had, logOdds float64
		short        bool
	}{
		{0, -1, false}, {0, 0, false}, {0, 1.2, false}, {0, 1.21, true}, {20, 0.2, false}, {20, 0.21, true},
		{0.5, 1.17, false}, {30, 0, false}, {30, 0.01, true},
	} {
		k := recovery.Case{Assessment: recovery.Assessment{Positives: tt.had, LogOdds: tt.logOdds}}
		if got := encode(fullOrigin, &k, recovery.Rules{Active: p}).GetAssessment().GetPositivesFallShort(); got != tt.short {
			t.Errorf("log-odds %v after %v good experiences: %v", tt.logOdds, tt.had, got)
		}
	}
}

// Whatever case there is, what is written is byte for byte what the generated code
// makes of the message: no field has another number or kind than the contract says.
func TestAnswersAreWrittenAsTheContractSays(t *testing.T) {
	check := func(k recovery.Case) {
		t.Helper()
		body, err := written(fullOrigin, &k, answerRules())
		if err != nil {
			t.Fatal(err)
		}
		m := &recoveryv1.Case{}
		if err := proto.Unmarshal(body, m); err != nil {
			t.Fatal(err)
		}
		again, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, body) {
			t.Errorf("written as\n%x, its own code writes\n%x", body, again)
		}
	}
	check(fullCase(t))
	check(recovery.Case{})
	for i := range reflect.TypeFor[recovery.Case]().NumField() { // each field missing in turn
		k := fullCase(t)
		reflect.ValueOf(&k).Elem().Field(i).SetZero()
		check(k)
	}
}

func TestAnswersHoldTextsAlone(t *testing.T) {
	k := fullCase(t)
	k.Recommendation.ReviewReasons = []string{"\xff"}
	if _, err := written(fullOrigin, &k, answerRules()); err == nil {
		t.Error("what is no text is written")
	}
}

// BenchmarkAnswer writes the answer to the report that is the last of as many of
// one failure.
func BenchmarkAnswer(b *testing.B) {
	rules := recovery.Rules{Active: policy.Default().Rules}
	e := recovery.Event{Order: "o", Failure: recovery.Failure{OccurredAt: noon, Kinds: recovery.Kinds(recovery.Late, recovery.Quality), Delay: time.Hour,
		Currency: "USD", Value: 1800, Loss: 1800, Voice: recovery.Private, Channel: recovery.Phone, Evidence: recovery.SystemObserved,
		Acceptance: recovery.Rejected, Attribution: recovery.Attribution{Locus: recovery.Firm, Motive: recovery.Unintended}}}
	for _, accounts := range []int{1, 4, 16} {
		var c recovery.Customer
		var k recovery.Case
		for range accounts {
			var err error
			if c, k, err = recovery.Report(c, e, rules, noon); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(fmt.Sprint("accounts=", accounts), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := written(fullOrigin, &k, rules); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
