package main

import (
	"fmt"
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
		"asked, no":              {true, "\n", nil, exitUsage, []string{"nothing was erased"}},
		"asked, no answer":       {true, "", nil, exitUsage, []string{"nothing was erased"}},
		"nobody is there":        {false, "y\n", nil, exitUsage, []string{"add --yes"}},
		"a typing error is a no": {true, "yep\n", nil, exitUsage, []string{"nothing was erased"}},
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
