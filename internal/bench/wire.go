package bench

import (
	"fmt"

	"google.golang.org/grpc/mem"
)

// wire is a codec of callers that neither make nor read messages: what the load
// costs is not to be taken for what the server costs.
type wire struct{}

// Name is that of the codec whose messages these are.
func (wire) Name() string { return "proto" }

// Marshal passes bytes on.
func (wire) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("%T is no message", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

// Unmarshal counts bytes, or hands them on where they are wanted.
func (wire) Unmarshal(data mem.BufferSlice, v any) error {
	switch v := v.(type) {
	case *int:
		*v = data.Len()
	case *[]byte:
		*v = data.Materialize()
	default:
		return fmt.Errorf("%T takes no message", v)
	}
	return nil
}
