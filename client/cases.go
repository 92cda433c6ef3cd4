package client

import (
	"cmp"
	"context"
	"errors"
	"iter"

	"google.golang.org/protobuf/proto"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// errStuck is a fault of the service, which would make a list without an end.
var errStuck = errors.New("the list of cases does not go on: the service answered the same page token twice")

// Cases lists cases over any number of pages. The request is that of ListCases;
// its page_size is how many are asked for at once. A case that changes meanwhile
// may come twice or not at all. An error is the last that is given.
func (c *Client) Cases(ctx context.Context, request *recoveryv1.ListCasesRequest) iter.Seq2[*recoveryv1.Case, error] {
	return func(yield func(*recoveryv1.Case, error) bool) {
		page := proto.CloneOf(cmp.Or(request, &recoveryv1.ListCasesRequest{}))
		for {
			answer, err := c.ListCases(ctx, page)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, one := range answer.GetCases() {
				if !yield(one, nil) {
					return
				}
			}
			switch next := answer.GetNextPageToken(); next {
			case "":
				return
			case page.GetPageToken():
				yield(nil, errStuck)
				return
			default:
				page.SetPageToken(next)
			}
		}
	}
}
