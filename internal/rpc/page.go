package rpc

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// defaultPage is how many items a page has when the caller does not say.
const defaultPage = 50

func pageSize(asked int32) int {
	if asked == 0 {
		return defaultPage
	}
	return int(asked)
}

// pager makes and reads page tokens. A token says after which item the next
// page begins, and carries a keyed hash of that and of the query, so that it
// fits no other query and cannot be made up.
type pager struct {
	names Names
	query string
}

// query is what must stay the same from page to page: everything but where the
// page begins and how long it is.
func query(req *recoveryv1.ListCasesRequest) string {
	same := proto.CloneOf(req)
	same.SetPageSize(0)
	same.SetPageToken("")
	text, _ := payload.Marshal(same) // it has just been unmarshalled
	return string(text)
}

// token for the page after the item with that number.
func (p pager) token(after int64) string {
	place := strconv.FormatInt(after, 10)
	return base64.RawURLEncoding.EncodeToString([]byte(place + "." + p.seal(place)))
}

func (p pager) seal(place string) string { return p.names.Hash("page", place+"."+p.query) }

// open gives the number after which the page begins; the empty token begins at
// the newest item.
func (p pager) open(token string) (after int64, err error) {
	if token == "" {
		return math.MaxInt64, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, errPageToken
	}
	place, seal, _ := strings.Cut(string(text), ".")
	after, err = strconv.ParseInt(place, 10, 64)
	if err != nil || seal != p.seal(place) {
		return 0, errPageToken
	}
	return after, nil
}

// resume gives the place in a list of that length at which the page begins.
func (p pager) resume(token string, length int) (int, error) {
	if token == "" {
		return 0, nil
	}
	after, err := p.open(token)
	if err != nil {
		return 0, err
	}
	return int(min(after, int64(length))), nil
}
