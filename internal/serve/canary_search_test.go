package serve_test

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"
	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/redistest"
)

const mark = "canary-"

// kept are the fields whose texts Redis holds as they came.
var kept = map[string]string{
	"tenant": "names a part of the operator's business and no person; the day's budget and the filters of a watch are by it",
	"approver": "names one of the operator's own staff, and is shown in approved_by for as long as the offer is; " +
		"its form (at most 64 of letters, digits and . _ @ + -) takes no sentence",
}

// encoded are the mark in hexadecimal and in base64, where it may begin at any of
// three places.
var encoded = func() []string {
	all := []string{hex.EncodeToString([]byte(mark))}
	for before := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", before) + mark))
		all = append(all, text[(before*8+5)/6:(before+len(mark))*8/6])
	}
	return all
}()

var numbered = regexp.MustCompile(mark + `(\d+)-`)

// haul is what was collected: by place and by where in it that stands, all that is there.
type haul map[string]map[string]string

func (h haul) add(place, where, text string) {
	if h[place] == nil {
		h[place] = map[string]string{}
	}
	h[place][where] += text + "\n"
}

// search tells of every canary where it stands, but for what may be kept; used are
// the reasons to keep some that were found.
func (h haul) search(c *canaries) (hits []string, used map[string]bool) {
	used = map[string]bool{}
	for place, parts := range h {
		for where, text := range parts {
			text = where + "\n" + text
			for _, code := range encoded {
				if strings.Contains(text, code) {
					hits = append(hits, fmt.Sprintf("%s, %q: encoded as %s", place, where, code))
				}
			}
			for what, secret := range c.secrets {
				if strings.Contains(text, secret) {
					hits = append(hits, fmt.Sprintf("%s, %q: %s", place, where, what))
				}
			}
			text = strings.ToLower(text)
			for _, found := range numbered.FindAllStringSubmatchIndex(text, -1) {
				field := "what was not put there"
				if n, err := strconv.Atoi(text[found[2]:found[3]]); err == nil && n < len(c.put) {
					field = c.put[n]
				}
				name := field[strings.LastIndexByte(field, '.')+1:]
				if place == "redis" && kept[name] != "" {
					used[name] = true
					continue
				}
				around := text[max(0, found[0]-60):min(len(text), found[1]+20)]
				hits = append(hits, fmt.Sprintf("%s, %q: %s, in %q", place, where, field, around))
			}
		}
	}
	slices.Sort(hits)
	return slices.Compact(hits), used
}

// addRedis takes all that a Redis holds, and what it tells its operators.
func (h haul) addRedis(t *testing.T, store *redistest.Instance) {
	t.Helper()
	for name, content := range contents(t, store) {
		h.add("redis", name, content)
	}
	options := redistest.Options(store.Addr())
	options.ReadTimeout = time.Minute // the slow log is long
	c := redis.NewClient(options)
	defer c.Close()
	for _, command := range [][]any{{"SLOWLOG", "GET", "-1"}, {"CLIENT", "LIST"}, {"INFO", "everything"}, {"ACL", "LOG"}, {"FUNCTION", "LIST"}} {
		answer, err := c.Do(t.Context(), command...).Result()
		if err != nil {
			t.Fatal(err)
		}
		h.add("redis", fmt.Sprint(command), fmt.Sprint(answer))
	}
}

func (h haul) addStatus(where string, st *status.Status) {
	wire, err := proto.Marshal(st.Proto()) // texts stand in it as they are
	if err != nil {
		panic(err)
	}
	h.add("status", where, st.Message()+"\n"+string(wire))
}

// The search finds one canary wherever one is put, and names the place.
func TestSearchFindsCanaries(t *testing.T) {
	c, h := newCanaries(), haul{}
	log := &lines{}
	fmt.Fprintf(log, `{"level":"DEBUG","msg":"call","customer":%q}`, c.one("a.log"))
	h.add("log", "server", log.String())

	spans := &collector{}
	_, err := spans.Export(t.Context(), &collectorv1.ExportTraceServiceRequest{ResourceSpans: []*tracev1.ResourceSpans{{ScopeSpans: []*tracev1.ScopeSpans{{Spans: []*tracev1.Span{
		{Attributes: []*commonv1.KeyValue{{Key: "k", Value: &commonv1.AnyValue{Value: &commonv1.AnyValue_StringValue{StringValue: c.one("a.attribute")}}}}},
		{Attributes: []*commonv1.KeyValue{{Key: "k", Value: &commonv1.AnyValue{Value: &commonv1.AnyValue_BytesValue{BytesValue: []byte("x" + c.one("a.bytes"))}}}}},
		{TraceState: c.one("a.state") + "=1", Events: []*tracev1.Span_Event{{Name: c.one("a.event")}}, Status: &tracev1.Status{Message: c.one("a.message")}},
		{Links: []*tracev1.Span_Link{{TraceState: c.one("a.link") + "=1"}}},
	}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	h.add("spans", "all", spans.text.String())

	metrics := prometheus.NewRegistry()
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "calls"}, []string{"customer"})
	metrics.MustRegister(counter)
	counter.WithLabelValues(c.one("a.label")).Inc()
	server := httptest.NewServer(promhttp.HandlerFor(metrics, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	defer server.Close()
	for _, kind := range formats {
		h.add("metrics", kind, scrape(t, server.URL, kind))
	}

	st, err := status.New(codes.Internal, c.one("a.text")).WithDetails(&errdetails.ErrorInfo{Reason: "X", Metadata: map[string]string{"k": c.one("a.detail")}})
	if err != nil {
		t.Fatal(err)
	}
	h.addStatus("a call", st)

	store := redistest.Server(t)
	r := store.Client()
	r.ConfigSet(t.Context(), "slowlog-log-slower-than", "0")
	r.HGet(t.Context(), "nothing", c.one("a.slow"))
	r.Set(t.Context(), "string-"+c.one("a.key"), "\xff\x00"+c.one("a.string"), 0)
	r.HSet(t.Context(), "hash", c.one("a.name"), "\x08\x96\x01\x12\x20"+c.one("a.value"))
	r.ZAdd(t.Context(), "zset", redis.Z{Member: c.one("a.member")})
	r.XAdd(t.Context(), &redis.XAddArgs{Stream: "stream", Values: []string{"e", c.one("a.entry")}})
	h.addRedis(t, store)

	hits, _ := h.search(c)
	for _, where := range c.put {
		encodedToo := func(hit string) bool {
			return where == "a.bytes" && strings.Contains(hit, "spans") && strings.Contains(hit, "encoded")
		}
		if !slices.ContainsFunc(hits, func(hit string) bool { return strings.Contains(hit, where+",") || encodedToo(hit) }) {
			t.Errorf("%s is not found in:\n%s", where, strings.Join(hits, "\n"))
		}
	}
	for _, place := range slices.Collect(maps.Keys(h)) {
		only := haul{place: h[place]}
		if hits, _ := only.search(c); len(hits) == 0 {
			t.Errorf("nothing is found in %s", place)
		}
	}
	c.secrets["a token"] = "e30.e30.AAAA"
	if hits, _ := (haul{"log": {"k": "token e30.e30.AAAA"}}).search(c); len(hits) != 1 {
		t.Errorf("a token is no hit: %q", hits)
	}
	if hits, used := (haul{"redis": {"k": c.one("x.tenant")}}).search(c); len(hits) > 0 || !used["tenant"] {
		t.Errorf("what may be kept is a hit: %q", hits)
	}
	if hits, _ := (haul{"log": {"k": c.one("x.tenant")}}).search(c); len(hits) != 1 {
		t.Errorf("what may be kept in Redis alone is no hit in a log: %q", hits)
	}
}
