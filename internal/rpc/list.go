package rpc

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/ledger"
	"github.com/makeamends/amends/internal/recovery"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// Lister lists the cases of a tenant that are not closed.
type Lister interface {
	List(ctx context.Context, q ledger.Query) (ledger.Page, error)
	ParseCursor(text string) (ledger.Cursor, error)
}

const (
	// mostLooked is how many cases one call looks at to find those for which
	// every filter holds.
	mostLooked = 2000
	// lookBatch is how many it looks at together when a filter may refuse many.
	lookBatch = 250
	// mostListBytes is when an answer is full however few cases it has: clients
	// take 4 MiB unless told otherwise.
	mostListBytes = 3 << 20
)

// ListCases answers with cases of a customer or of a whole tenant, by what is
// due next, those that are not closed judged as of now.
func (s *Service) ListCases(ctx context.Context, req *recoveryv1.ListCasesRequest) (*recoveryv1.ListCasesResponse, error) {
	req.SetTenant(cmp.Or(req.GetTenant(), DefaultTenant))
	page := pager{s.ledger, query(req)}
	after, faults := page.open(req.GetPageToken())
	if req.HasDueBefore() && !req.GetDueBefore().IsValid() {
		faults = append(faults, fault{field: "due_before", allowed: allowedTime})
	}
	if err := s.inspect.with(req, faults); err != nil {
		return nil, err
	}
	if _, err := tenantOf(ctx, req.GetTenant()); err != nil {
		return nil, err
	}
	find := s.tenantCases
	if req.GetCustomerId() != "" {
		find = s.customerCases
	}
	cases, next, err := find(ctx, req, after)
	if err != nil {
		return nil, err
	}
	answer := recoveryv1.ListCasesResponse_builder{Cases: cases}.Build()
	if next != "" {
		answer.SetNextPageToken(page.token(next))
	}
	return answer, nil
}

// tenantCases lists the cases of all customers of a tenant that are not closed.
// They come in the order in which they are stored, which is by what is due next
// as of the last change.
func (s *Service) tenantCases(ctx context.Context, req *recoveryv1.ListCasesRequest, after string) (_ []*recoveryv1.Case, next string, err error) {
	q := ledger.Query{Tenant: req.GetTenant()}
	if q.After, err = s.ledger.ParseCursor(after); err != nil {
		return nil, "", invalid([]fault{otherPage})
	}
	if req.HasDueBefore() {
		q.Before = moment(req.GetDueBefore())
	}
	var found bundle
	size := pageSize(req.GetPageSize())
	for left := mostLooked; left > 0; left -= q.Most {
		q.Most = min(left, size-len(found.cases))
		if len(req.GetStates())+len(req.GetBands()) > 0 {
			q.Most = min(left, max(q.Most, lookBatch))
		}
		page, err := s.ledger.List(ctx, q)
		if err != nil {
			return nil, "", err
		}
		seen, err := s.seenPage(ctx, page.Cases)
		if err != nil {
			return nil, "", err
		}
		for i := range seen {
			if seen[i].closed || !selected(&seen[i].Case, req) {
				continue
			}
			at := page.Cases[i].Snapshot
			found.add(seen[i].encode(origin{at.Tenant, at.Key}))
			if found.isFull(size) && (page.More || i < len(seen)-1) {
				return found.cases, page.Cases[i].Cursor.String(), nil
			}
		}
		if !page.More {
			return found.cases, "", nil
		}
		q.After = page.Next
	}
	return found.cases, q.After.String(), nil
}

// bundle is cases on their way into one answer.
type bundle struct {
	cases []*recoveryv1.Case
	bytes int
}

func (b *bundle) add(k *recoveryv1.Case) {
	b.cases = append(b.cases, k)
	b.bytes += proto.Size(k)
}

// isFull reports whether the answer takes no more: it has that many cases, or as
// many bytes as it may.
func (b *bundle) isFull(size int) bool { return len(b.cases) >= size || b.bytes >= mostListBytes }

// seenPage gives listed cases as of now, in the same order. Each customer is
// judged once.
func (s *Service) seenPage(ctx context.Context, listed []ledger.Listed) ([]sight, error) {
	of := map[ledger.Key][]int{}
	for i := range listed {
		key := listed[i].Snapshot.Key
		of[key] = append(of[key], i)
	}
	seen := make([]sight, len(listed))
	for _, places := range of {
		cases := make([]recovery.Case, len(places))
		for n, i := range places {
			cases[n] = listed[i].Case
		}
		now, err := s.seenNow(ctx, listed[places[0]].Snapshot, cases)
		if err != nil {
			return nil, err
		}
		for n, i := range places {
			seen[i] = now[n]
		}
	}
	return seen, nil
}

// customerCases lists all cases of one customer that are kept.
func (s *Service) customerCases(ctx context.Context, req *recoveryv1.ListCasesRequest, after string) (_ []*recoveryv1.Case, next string, err error) {
	begin, err := parsePlace(after)
	if err != nil {
		return nil, "", err
	}
	at, stored, err := s.ledger.Cases(ctx, s.ledger.Key(req.GetTenant(), req.GetCustomerId()))
	if err != nil {
		return nil, "", err
	}
	seen, err := s.seenNow(ctx, at, stored)
	if err != nil {
		return nil, "", err
	}
	seen = slices.DeleteFunc(seen, func(k sight) bool { return k.place().compare(begin) <= 0 || !selected(&k.Case, req) })
	slices.SortFunc(seen, func(a, b sight) int { return a.place().compare(b.place()) })
	var found bundle
	size := pageSize(req.GetPageSize())
	for i := range seen {
		kase := seen[i].encode(origin{req.GetTenant(), at.Key})
		kase.SetCustomerId(req.GetCustomerId())
		if found.add(kase); found.isFull(size) && i < len(seen)-1 {
			return found.cases, seen[i].place().String(), nil
		}
	}
	return found.cases, "", nil
}

// selected reports whether every filter holds.
func selected(k *recovery.Case, req *recoveryv1.ListCasesRequest) bool {
	state, band := recoveryv1.CaseState(k.State), recoveryv1.Band(k.Assessment.Risk.Band)
	return (len(req.GetStates()) == 0 || slices.Contains(req.GetStates(), state)) &&
		(len(req.GetBands()) == 0 || slices.Contains(req.GetBands(), band)) &&
		(!req.HasDueBefore() || dueBefore(k, req))
}

func dueBefore(k *recovery.Case, req *recoveryv1.ListCasesRequest) bool {
	at := k.NextDeadline()
	return !at.IsZero() && at.Before(moment(req.GetDueBefore()))
}

// place is where a case stands in the list of its customer's cases: by its next
// deadline, then by its number.
type place struct{ due, number int64 }

// Cases without a deadline come after those with one, closed ones last.
const (
	nothingDue = math.MaxInt64 - 1
	isClosed   = math.MaxInt64
)

func (k *sight) place() place {
	switch at := k.NextDeadline(); {
	case k.closed:
		return place{isClosed, k.Number}
	case at.IsZero():
		return place{nothingDue, k.Number}
	default:
		return place{at.UnixNano(), k.Number}
	}
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.due, q.due), cmp.Compare(p.number, q.number))
}

func (p place) String() string {
	return strconv.FormatInt(p.due, 10) + "." + strconv.FormatInt(p.number, 10)
}

// parsePlace reads a place; nothing stands for the beginning.
func parsePlace(text string) (place, error) {
	if text == "" {
		return place{due: math.MinInt64}, nil
	}
	due, number, _ := strings.Cut(text, ".")
	var p place
	var errs [2]error
	p.due, errs[0] = strconv.ParseInt(due, 10, 64)
	p.number, errs[1] = strconv.ParseInt(number, 10, 64)
	if errs[0] != nil || errs[1] != nil {
		return place{}, invalid([]fault{otherPage})
	}
	return p, nil
}
