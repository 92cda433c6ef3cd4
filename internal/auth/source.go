package auth

import (
	"context"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/files"
	accessv1 "github.com/makeamends/amends/proto/recovery/access/v1"
)

// source is where the keys of one issuer come from: a file that is followed, or
// the issuer itself. Keys that were had once stay until others come, or a set of none.
type source struct {
	issuer *accessv1.Issuer
	keys   atomic.Pointer[keySet] // nil: none were had yet
	remote *remote                // nil: they are in a file
	file   string
	told   func(issuer string, err error) // of every change that is taken over, or is not
	stop   context.CancelFunc

	// trouble, as it was told, is why the keys as they stand are not those that
	// count; nil: they are.
	trouble atomic.Pointer[string]
}

// newSource begins with the keys that the access file came with, if it did.
func newSource(i *issuer, told func(string, error)) *source {
	s := &source{issuer: i.message, file: i.file, told: told}
	if i.keys != nil {
		s.keys.Store(i.keys)
	}
	if i.message.GetDiscover() {
		s.remote = newRemote(i.message.GetIssuer())
	}
	return s
}

// serves reports whether the source is that of an issuer of another file too.
func (s *source) serves(i *issuer) bool { return proto.Equal(s.issuer, i.message) && s.file == i.file }

// follow keeps the keys fresh until the context ends.
func (s *source) follow(ctx context.Context) {
	if s.remote != nil {
		s.remote.run(ctx, s.adopt)
		return
	}
	err := files.Follow(ctx, func(contents [][]byte, err error) bool {
		if err != nil {
			contents = [][]byte{nil}
		}
		s.adopt(contents[0], err)
		return true
	}, s.file)
	if err != nil {
		s.tell(err)
	}
}

func (s *source) tell(err error) {
	var trouble *string
	if err != nil {
		trouble = new(err.Error())
	}
	s.trouble.Store(trouble)
	s.told(s.issuer.GetIssuer(), err)
}

// adopt takes over keys. What cannot be read changes nothing. Whatever came in by
// a key that is gone is void from then on.
func (s *source) adopt(text []byte, err error) {
	was, trouble := s.keys.Load(), s.trouble.Load()
	var set *keySet
	if err == nil {
		set, err = parseKeys(text)
	}
	switch {
	case err != nil:
		if trouble != nil && *trouble == err.Error() {
			return // it was told
		}
	case was == nil || was.text != set.text:
		gone := set.succeed(was)
		s.keys.Store(set)
		for _, k := range gone {
			k.withdraw()
		}
	case trouble == nil:
		return // as it was
	}
	s.tell(err)
}

// find gives the keys with which such a token may be signed, and the set that they
// are of. A key that is not known may be new, so the issuer is asked once more.
func (s *source) find(ctx context.Context, id, algorithm string) (*keySet, []*key, error) {
	for again := true; ; again = false {
		set := s.keys.Load()
		if set != nil {
			if found := set.of(id, algorithm); len(found) > 0 {
				return set, found, nil
			}
		}
		if again && s.remote != nil && s.remote.again(ctx) {
			continue
		}
		if set == nil {
			return nil, nil, ErrIssuer
		}
		return nil, nil, refuse(ErrToken, "its issuer has no such key")
	}
}

// first waits until the issuer was asked for its keys the first time, or until
// the context ends.
func (s *source) first(ctx context.Context) {
	if s.remote != nil {
		s.remote.first(ctx)
	}
}
