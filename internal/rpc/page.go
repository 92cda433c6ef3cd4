package rpc

import (
	"encoding/base64"
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

// pager makes and reads page tokens. A token names the place after which the
// next page begins, and carries a keyed hash of that and of the query, tenant
// included, so that it fits no other query and cannot be made up.
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

// token is the token for the page after that place.
func (p pager) token(place string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(place + "." + p.seal(place)))
}

func (p pager) seal(place string) string { return p.names.Hash("page", place+"."+p.query) }

// open gives the place after which the page begins; nothing for the empty
// token, which begins at the first item.
func (p pager) open(token string) (place string, faults []fault) {
	if token == "" {
		return "", nil
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	place, seal := string(text), ""
	if i := strings.LastIndexByte(place, '.'); i >= 0 {
		place, seal = place[:i], place[i+1:]
	}
	if err != nil || place == "" || seal != p.seal(place) {
		return "", []fault{otherPage}
	}
	return place, nil
}

// otherPage is the fault of every token that is not of the query.
var otherPage = fault{field: "page_token", allowed: "must be next_page_token of an answer to the same query; start again without it"}
