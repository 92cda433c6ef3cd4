package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// shelf lists so many cases, page by page as it is asked, with an empty page in between.
func shelf(size int) func(int, proto.Message) (proto.Message, error) {
	return func(_ int, request proto.Message) (proto.Message, error) {
		list := request.(*recoveryv1.ListCasesRequest)
		from, isEmpty := 0, false
		if token := list.GetPageToken(); token != "" {
			if _, err := fmt.Sscanf(token, "%d %t", &from, &isEmpty); err != nil {
				return nil, err
			}
		}
		if isEmpty {
			return recoveryv1.ListCasesResponse_builder{NextPageToken: fmt.Sprintf("%d false", from)}.Build(), nil
		}
		to := min(from+min(int(list.GetPageSize()), 400), size)
		answer := recoveryv1.ListCasesResponse_builder{}
		for i := from; i < to; i++ {
			answer.Cases = append(answer.Cases, recoveryv1.Case_builder{CaseId: fmt.Sprintf("c.%d", i)}.Build())
		}
		if to < size {
			answer.NextPageToken = fmt.Sprintf("%d true", to)
		}
		return answer.Build(), nil
	}
}

// Pages are asked for until there are enough, all alike but for the token.
func TestPagesOfCases(t *testing.T) {
	for _, row := range []struct {
		size, limit, want, calls int
		isMore                   bool
	}{
		{0, 50, 0, 1, false},
		{50, 50, 50, 1, false},
		{51, 50, 50, 1, true},
		{900, 1000, 900, 5, false},
		{900, 700, 700, 3, true},
		{3000, 1500, 1500, 7, true},
	} {
		d := newDesk(t, &desk{answer: shelf(row.size)})
		o := amends(t, "cases", "--server", d.address, "--limit", fmt.Sprint(row.limit), "-o", "json")
		if n := strings.Count(o.stdout, "\n"); n != row.want || len(d.asked()) != row.calls {
			t.Errorf("%+v: %d cases by %d calls", row, n, len(d.asked()))
		}
		if isMore := strings.Contains(o.stderr, "There are more than"); isMore != row.isMore {
			t.Errorf("%+v: says that there are more: %v", row, isMore)
		}
		for _, request := range d.asked() {
			if size := request.(*recoveryv1.ListCasesRequest).GetPageSize(); int(size) != min(row.limit+1, mostCases) {
				t.Errorf("%+v: a page of %d", row, size)
			}
		}
	}
}

func TestFiltersOfCases(t *testing.T) {
	d := newDesk(t, &desk{answer: shelf(1)})
	amends(t, "cases", "--server", d.address, "--tenant", "shop", "--customer", "c-1", "--state", "open,acknowledged", "--band", "high", "--due-before",
		"2026-03-01T18:30:00Z", "--limit", "7")
	want := parse(t, `{"tenant": "shop", "customerId": "c-1", "states": ["CASE_STATE_OPEN", "CASE_STATE_ACKNOWLEDGED"], "bands": ["BAND_HIGH"],
		"dueBefore": "2026-03-01T18:30:00Z", "pageSize": 8}`, &recoveryv1.ListCasesRequest{})
	if diff := cmp.Diff([]proto.Message{want}, d.asked(), protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, args := range [][]string{{"cases"}, {"watch"}, {"report", "--kind", "rude"}, {"praise"}, {"assess"}, {"erase", "--yes"}} {
		command{}.fails(t, exitUsage, []string{"--customer: it is empty"}, append(args, "--customer", "", "--server", d.address)...)
	}
	for flag, args := range map[string][]string{
		"--event-id": {"report", "--customer", "c", "--kind", "rude"}, "--interaction-id": {"praise", "--customer", "c"}, "--request-id": {"ack", "c.1"},
	} {
		command{}.fails(t, exitUsage, []string{flag + ": it is empty"}, append(args, flag, "", "--server", d.address)...)
	}
	if n := len(d.asked()); n != 1 {
		t.Errorf("the service was asked %d times", n)
	}
	for _, args := range [][]string{{"--due-in", "2h"}, {"--due-before", "+2h"}} {
		amends(t, append([]string{"cases", "--server", d.address}, args...)...)
		asked := d.asked()
		due := asked[len(asked)-1].(*recoveryv1.ListCasesRequest).GetDueBefore().AsTime()
		if left := time.Until(due); left < 119*time.Minute || left > 2*time.Hour {
			t.Errorf("%v asks for what is due in %v", args, left)
		}
	}
}

// A service that turns in circles is not followed.
func TestListThatDoesNotEnd(t *testing.T) {
	d := newDesk(t, &desk{answer: func(int, proto.Message) (proto.Message, error) {
		return recoveryv1.ListCasesResponse_builder{NextPageToken: "same"}.Build(), nil
	}})
	command{}.fails(t, exitInternal, []string{"the same page token twice"}, "cases", "--server", d.address)
}

func TestErase(t *testing.T) {
	until := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	answer := recoveryv1.EraseCustomerResponse_builder{
		Found: true, CasesRemoved: 2, FailuresRemoved: 3, AnswersRemoved: 14, EventsRemoved: 9, TombstoneExpiresAt: timestamppb.New(until),
	}.Build()
	for name, row := range map[string]struct {
		terminal bool
		types    string
		args     []string
		code     int
		says     []string
	}{
		"sure":                   {false, "", []string{"--yes"}, exitOK, nil},
		"for machines":           {false, "", []string{"--yes", "-o", "json"}, exitOK, nil},
		"asked, yes":             {true, "y\n", nil, exitOK, []string{"customer c-1 of tenant shop? This cannot be undone. [y/N]"}},
		"asked, no":              {true, "\n", nil, exitInterrupted, []string{"nothing was erased"}},
		"asked, no answer":       {true, "", nil, exitInterrupted, []string{"nothing was erased"}},
		"nobody is there":        {false, "y\n", nil, exitUsage, []string{"add --yes"}},
		"a typing error is a no": {true, "yep\n", nil, exitInterrupted, []string{"nothing was erased"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, &desk{answer: func(int, proto.Message) (proto.Message, error) { return answer, nil }})
			c := command{terminal: row.terminal, stdin: strings.NewReader(row.types)}
			o := c.fails(t, row.code, row.says, append([]string{"erase", "--customer", "c-1", "--tenant", "shop", "--server", d.address}, row.args...)...)
			want := []proto.Message(nil)
			if row.code == exitOK {
				want = []proto.Message{recoveryv1.EraseCustomerRequest_builder{Tenant: "shop", CustomerId: "c-1"}.Build()}
				if name == "for machines" {
					parse(t, o.stdout, &recoveryv1.EraseCustomerResponse{})
				} else if !strings.Contains(o.stdout, "14 stored answers") || !strings.Contains(o.stdout, "Kept until") || !strings.Contains(o.stdout, "customer c-1 of tenant shop") {
					t.Errorf("it says\n%s", o.stdout)
				}
			}
			if diff := cmp.Diff(want, d.asked(), protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Ctrl-C ends the question at once, though the terminal has nothing to say.
func TestEraseInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	in, typing := io.Pipe()
	defer typing.Close()
	d := newDesk(t, &desk{})
	time.AfterFunc(100*time.Millisecond, interrupt)
	left := make(chan outcome, 1)
	go func() {
		left <- command{ctx: ctx, terminal: true, stdin: in}.run("erase", "--customer", "c-1", "--server", d.address)
	}()
	select {
	case o := <-left:
		if o.code != exitInterrupted || !strings.Contains(o.stderr, "nothing was erased") {
			t.Errorf("left with %d: %s", o.code, o.stderr)
		}
	case <-time.After(5 * time.Second):
		t.Error("it goes on asking")
	}
	if len(d.asked()) > 0 {
		t.Error("the service was asked")
	}
}

// What says whom one call is about, or that it is meant, stands on the command line alone.
func TestTheEnvironmentChoosesNoCustomer(t *testing.T) {
	env := map[string]string{"AMENDS_YES": "true", "AMENDS_CUSTOMER": "m1", "AMENDS_EVENT_ID": "e", "AMENDS_INTERACTION_ID": "i", "AMENDS_REQUEST_ID": "r"}
	d := newDesk(t, &desk{answer: shelf(1)})
	c := command{env: env}
	o := c.works(t, "cases", "--server", d.address)
	if got := d.asked()[0].(*recoveryv1.ListCasesRequest).GetCustomerId(); got != "" {
		t.Errorf("only the cases of %q are listed", got)
	}
	for name := range env {
		if !strings.Contains(o.stderr, name+" is set, but") {
			t.Errorf("%s is ignored without a word:\n%s", name, o.stderr)
		}
	}
	c.fails(t, exitUsage, []string{"--customer is missing"}, "erase", "--server", d.address)
	c.fails(t, exitUsage, []string{"add --yes"}, "erase", "--customer", "c-1", "--server", d.address)
	file := written(t, "erase:\n  yes: true\n")
	command{}.fails(t, exitUsage, []string{"taken from the command line alone"}, "cases", "--server", d.address, "--config", file)
}

// The command that makes the secret of a store never overwrites one, wherever it is told.
func TestKeyIsNeverOverwritten(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{
		"README.md":       string(readme),
		"serve --help":    amends(t, "serve", "--help").stdout,
		"serve --redis …": command{}.run("serve", "--redis", "redis://127.0.0.1:1").stderr,
	} {
		t.Run(where, func(t *testing.T) {
			dir := t.TempDir()
			makeKey := func() (key string, err error) {
				sh := exec.Command("sh", "-c", regexp.MustCompile(`\(umask 077;[^\n]*> amends\.key\)`).FindString(text))
				sh.Dir = dir
				err = sh.Run()
				made, _ := os.ReadFile(filepath.Join(dir, "amends.key"))
				return string(made), err
			}
			first, err := makeKey()
			if err != nil || len(first) < 32 {
				t.Fatalf("made %q: %v", first, err)
			}
			if second, err := makeKey(); err == nil || second != first {
				t.Errorf("the key was overwritten (%v)", err)
			}
		})
	}
}
