package rpc

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// list maps a list; nothing for nothing.
func list[From, To any](items []From, one func(*From) To) []To {
	if len(items) == 0 {
		return nil
	}
	out := make([]To, len(items))
	for i := range items {
		out[i] = one(&items[i])
	}
	return out
}

// timestamp is not set for the zero time.
func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
