package panics

import (
	"errors"
	"strings"
	"testing"
)

func TestCaught(t *testing.T) {
	broken := errors.New("broken")
	if err := Caught(func() error { return broken }); !errors.Is(err, broken) {
		t.Errorf("%v, want the error as it is", err)
	}
	if err := Caught(func() error { return nil }); err != nil {
		t.Error(err)
	}
	err := Caught(func() error { panic("boom") })
	var caught *Error
	if !errors.As(err, &caught) || !strings.Contains(err.Error(), "boom") || !strings.Contains(err.Error(), "TestCaught") {
		t.Errorf("%v, want the panic and its place", err)
	}
}
