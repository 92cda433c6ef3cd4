package story_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/makeamends/amends/internal/redistest"
	"github.com/makeamends/amends/internal/serve"
	"github.com/makeamends/amends/internal/story"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

var decision = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// Every story, played through the real server, comes to the figures that it
// expects: risks to 0.001, everything else exactly.
func TestStoriesComeToTheirFigures(t *testing.T) {
	t.Run("miniredis", func(t *testing.T) { playAll(t, "embedded") })
	t.Run("redis-server", func(t *testing.T) { playAll(t, redistest.Server(t).URL()) })
	t.Run("cluster", func(t *testing.T) { playAll(t, redistest.Cluster(t, 3).URL()) })
	t.Run("sentinel", func(t *testing.T) { playAll(t, redistest.Sentinel(t).URL()) })
}

func playAll(t *testing.T, redisURL string) {
	player := startPlayer(t, redisURL)
	stories, err := story.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range stories {
		t.Run(s.ID, func(t *testing.T) {
			scenes, err := player.Play(t.Context(), s, decision)
			if err != nil {
				t.Fatal(err)
			}
			last := scenes[len(scenes)-1].Case
			switch {
			case s.Expect != nil:
				compare(t, *s.Expect, last)
			case s.Ends != nil:
				compareEnding(t, *s.Ends, last)
			default:
				t.Error("nothing is expected of the story")
			}
		})
	}
}

func startPlayer(t *testing.T, redisURL string) *story.Player {
	t.Helper()
	secret := make([]byte, 32)
	rand.Read(secret)
	clock := story.NewClock(decision)
	server, err := serve.Start(t.Context(), serve.Config{
		Listen: "127.0.0.1:0", Redis: redisURL, Secret: secret, Now: clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	conn, err := grpc.NewClient(server.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &story.Player{Service: recoveryv1.NewRecoveryServiceClient(conn), Clock: clock, Tenant: "golden"}
}

func compare(t *testing.T, want story.Expectation, k *recoveryv1.Case) {
	t.Helper()
	a := k.GetAssessment()
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-3 {
			t.Errorf("%s %.6f, want %.6f", what, got, want)
		}
	}
	near("severity", a.GetSeverity(), want.Severity)
	near("log-odds", a.GetLogOdds(), want.LogOdds)
	near("noticed", a.GetNoticed(), want.Noticed)
	near("baseline", a.GetBaseline(), want.Baseline)
	near("risk ignored", a.GetRisk().GetIgnored(), want.Risk.Ignored)
	near("risk on time", a.GetRisk().GetOnTime(), want.Risk.OnTime)
	near("risk late", a.GetRisk().GetLate(), want.Risk.Late)
	near("escalation", a.GetEscalationProbability(), want.Escalation)
	near("ratio", k.GetRecommendation().GetRatio(), want.Ratio)

	got := map[string]float64{}
	for _, r := range a.GetReasons() {
		got[r.GetCode().String()[len("REASON_CODE_"):]] = r.GetContribution()
	}
	for code := range maps.Keys(want.Reasons) {
		near(code, got[code], want.Reasons[code])
		delete(got, code)
	}
	if len(got) > 0 {
		t.Errorf("reasons that nobody expects: %v", got)
	}
	exact := func(what string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s %v, want %v", what, got, want)
		}
	}
	exact("band", a.GetRisk().GetBand(), "BAND_"+want.Risk.Band)
	exact("positives owed", a.GetPositivesOwed(), want.PositivesOwed)
	compareMoney(exact, want, k.GetRecommendation())
	first := firstResponse(k)
	exact("first response within", first.GetDueAt().AsTime().Sub(decision.Add(time.Duration(want.FirstResponse.Promised))), time.Duration(want.FirstResponse.Within))
	exact("bound", first.GetBoundBy(), "BOUND_"+want.FirstResponse.Bound)
	exact("respond by", k.GetRespondBy().AsTime(), first.GetDueAt().AsTime())
}

func compareMoney(exact func(string, any, any), want story.Expectation, rec *recoveryv1.Recommendation) {
	var restitution, goodwill, approval int64
	for _, it := range rec.GetItems() {
		switch it.GetKind() {
		case recoveryv1.ItemKind_ITEM_KIND_RESTITUTION:
			restitution += cents(it.GetAmount())
		case recoveryv1.ItemKind_ITEM_KIND_GOODWILL:
			goodwill += cents(it.GetAmount())
			approval += cents(it.GetApprovalRequired())
		}
	}
	exact("restitution", restitution, want.Money.Restitution)
	exact("goodwill", goodwill, want.Money.Goodwill)
	exact("automatic", goodwill-approval, want.Money.Automatic)
	exact("approval", approval, want.Money.Approval)
	exact("total", cents(rec.GetTotal()), restitution+goodwill)
}

func cents(m *money.Money) int64 { return m.GetUnits()*100 + int64(m.GetNanos())/10_000_000 }

// firstResponse is the newest promise of a first response.
func firstResponse(k *recoveryv1.Case) (found *recoveryv1.Deadline) {
	for _, d := range k.GetDeadlines() {
		if d.GetMilestone() == recoveryv1.Milestone_MILESTONE_FIRST_RESPONSE {
			found = d
		}
	}
	return found
}

func compareEnding(t *testing.T, want story.Ending, k *recoveryv1.Case) {
	t.Helper()
	got := story.Ending{
		State:           strings.TrimPrefix(k.GetState().String(), "CASE_STATE_"),
		Outcome:         strings.TrimPrefix(k.GetOutcome().String(), "OUTCOME_"),
		DoubleDeviation: k.GetAssessment().GetDoubleDeviation(),
	}
	for _, d := range k.GetDeadlines() {
		if d.GetState() == recoveryv1.DeadlineState_DEADLINE_STATE_MISSED {
			got.Missed = append(got.Missed, strings.TrimPrefix(d.GetMilestone().String(), "MILESTONE_"))
		}
	}
	for _, o := range k.GetOffers() {
		got.Offers = append(got.Offers, strings.TrimPrefix(o.GetState().String(), "OFFER_STATE_"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the case ends differently (-want +got):\n%s", diff)
	}
}
