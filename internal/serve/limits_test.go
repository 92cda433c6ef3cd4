package serve

import (
	"fmt"
	"go/ast"
	goconstant "go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/makeamends/amends/internal/document"
	"github.com/makeamends/amends/internal/recovery"
	"github.com/makeamends/amends/internal/rpc"
)

// The page of the limits says what the code does.
func TestLimitsAsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range [][2]string{
		{"message of a call", size(rpc.MostBytes)},
		{"message of RecordInteractions, item of Ingest", size(rpc.MostBatchBytes)},
		{"any message", size(mostMessageBytes)},
		{"headers of a call", size(mostHeaderBytes)},
		{"connections", count(mostConnections)},
		{"streams of a connection", count(mostStreamsEach)},
		{"calls and streams that are open in the process, health checks apart", count(mostOpen)},
		{"tokens that are examined at a time, as each is once", count(constant(t, "auth/guard.go", "mostExamined"))},
		{"bytes of a stream that are not read yet", size(mostUnreadBytes)},
		{"what a stream of Ingest holds between an item and its answer, where a failure counts 6 KiB and a good experience 1 KiB beside its own size", size(rpc.WindowBytes)},
		{"what all streams of Ingest hold together", size(rpc.AllWindowBytes)},
		{"customers of a batch, or of a stream at each of its two turns, that are worked on at a time", count(rpc.MostTogether)},
		{"items of one customer that a stream carries out in one change", count(rpc.MostFolded)},
		{"watches", count(mostStreams)},
		{"streams of Ingest", count(mostStreams)},
		{"watches of the health", count(mostStreams)},
		{"health checks of which only a part has come", count(mostProbes)},
		{"time until a connection speaks HTTP/2, or TLS", span(handshakeTime)},
		{"silence of a connection", span(silentTime) + ", then " + span(silentWait) + " for an answer to a PING"},
		{"pause between two PINGs of a client", span(leastPingPause)},
		{"connection without any call", span(idleTime)},
		{"age of a connection", span(connectionAge) + ", with " + span(connectionGrace) + " to finish"},
		{"a call without a deadline, from its headers to its answer", span(callTime)},
		{"a call with a deadline", span(mostCallTime)},
		{"a health check, until all of it has come", span(callTime)},
		{"calls under way when the server ends, and streams whose answers nobody takes", span(defaultDrain)},
		{"the last traces when the server ends", span(flushTime)},
		{"calls at a time that are never refused for load", count(leastInside) + " for each processor; " + count(calmInside) + " for each, unless there was too much to do lately"},
		{"calls carried out at a time", "finds itself, at least " + count(leastCalls)},
		{"a crowd that comes at once", count(mostCrowd) + " more for each processor; one more for each call that ends while nobody waits, and every " + span(nextCrowd)},
		{"calls under way, whatever they wait for", count(DefaultMostCalls)},
		{"waiting for one's turn", fmt.Sprintf("%d times as long as a call takes, from %s to %s", waitPaces, span(leastWait), span(mostWait))},
		{"customers that a server remembers, to change them in one round trip", fmt.Sprintf("%d MiB |", DefaultRemember)},
		{"changes of one customer that wait for each other", count(mostInLine)},
		{"the same of a connection", size(mostUnreadEach)},
		{"faults of a request that an answer lists", count(constant(t, "rpc/errors.go", "mostListed"))},
		{"token of a caller", size(constant(t, "auth/token.go", "mostTokenBytes"))},
		{"tokens that a server remembers as verified", count(constant(t, "auth/guard.go", "mostTokens"))},
		{"policy, as YAML", count(document.MostBytes) + " bytes"},
		{"faults of a policy or of an access file that are listed", count(constant(t, "document/finding.go", "mostFindings"))},
		{"policies that are read at a time", "1 | " + count(constant(t, "rpc/policies.go", "mostChecks")-1) + " more wait"},
		{"work of a policy's condition, in CEL's units of cost", count(constant(t, "policy/condition.go", "mostCost"))},
		{"cases of a page of ListCases", fmt.Sprintf("as many as are asked for, 1,000 at most; full at %s or with what is found among %s cases of a tenant that are looked at",
			strings.Replace(size(constant(t, "rpc/list.go", "mostListBytes")), " |", ",", 1), count(constant(t, "rpc/list.go", "mostLooked")))},
		{"events that wait for one watcher to take them", count(constant(t, "watch/hub.go", "defaultBuffer"))},
		{"watches that read what they have missed", count(constant(t, "watch/hub.go", "mostCatchUps")) + " at a time"},
		{"requests of one customer that are remembered, which are those of today and the 8 days before, UTC, also of a life that was erased", count(constant(t, "ledger/seen_days.go", "mostRequests"))},
		{"steps of its cases beyond that", count(constant(t, "ledger/seen_days.go", "moreSteps"))},
		{"closed cases of one customer", count(constant(t, "ledger/commit.go", "mostClosed"))},
		{"a customer without an open case, from its last change on", fmt.Sprintf("%d days", int(2*recovery.MostWindow/(24*time.Hour)))},
		{"reports of one case that are kept one by one", count(recovery.MostAccounts)},
		{"steps of one case that it shows", count(recovery.MostHistory)},
		{"deadlines of one case", count(recovery.MostDeadlines)},
		{"offers of one case", count(recovery.MostOffers)},
		{"earlier failures that count, one a case", count(recovery.MostFailures)},
		{"apologies that count", count(recovery.MostApologies)},
		{"cases whose goodwill is counted one by one", count(recovery.MostGrants)},
	} {
		if want := "\n| " + row[0] + " | " + row[1]; !strings.Contains(string(page), want) {
			t.Errorf("docs/limits.md has no row %q", want)
		}
	}
	classes := map[class]string{keeping: "keeps a promise", reporting: "reports", asking: "asks", bulk: "bulk"}
	for method, k := range kinds {
		name := method[strings.LastIndex(method, "/")+1:]
		for _, line := range strings.Split(string(page), "\n") {
			if in := strings.Contains(line, " "+name+",") || strings.Contains(line, " "+name+" "); in && strings.HasPrefix(line, "| ") &&
				strings.HasSuffix(line, " |") && strings.Count(line, "|") == 4 && !strings.HasPrefix(line, "| "+classes[k.class]+" |") {
				t.Errorf("docs/limits.md puts %s in another class than %s: %s", name, classes[k.class], line)
			}
		}
		if !strings.Contains(string(page), name) {
			t.Errorf("docs/limits.md does not name %s", name)
		}
	}
}

// constant is what a file of another package says of a number that it keeps to itself.
func constant(t *testing.T, file, name string) int {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), "../"+file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range parsed.Decls {
		group, ok := d.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			if one := spec.(*ast.ValueSpec); one.Names[0].Name == name && len(one.Values) == 1 {
				is, err := types.Eval(token.NewFileSet(), nil, token.NoPos, types.ExprString(one.Values[0]))
				if err != nil {
					t.Fatal(err)
				}
				n, _ := goconstant.Int64Val(goconstant.ToInt(is.Value))
				return int(n)
			}
		}
	}
	t.Fatalf("%s has no constant %s", file, name)
	return 0
}

func size(n int) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MiB |", n>>20)
	}
	return fmt.Sprintf("%d KiB |", n>>10)
}

// count writes a number with its thousands apart.
func count(n int) string {
	if n >= 1000 {
		return fmt.Sprintf("%d,%03d", n/1000, n%1000)
	}
	return fmt.Sprint(n)
}

func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	default:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
}
