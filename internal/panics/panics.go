// Package panics turns panics into errors, where one must cost only what it was
// about: the call that was carried out, the customer who was judged. A panic
// anywhere else is a fault of the process, and ends it.
package panics

import (
	"fmt"
	"runtime/debug"
)

// Error is a panic, with the place where it happened. It may hold anything, and
// is for the log.
type Error struct {
	value any
	stack []byte
}

// Error says what panicked and where.
func (e *Error) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

// Catch gives a panic as an error; it is to be deferred.
func Catch(err *error) {
	if v := recover(); v != nil {
		*err = &Error{v, debug.Stack()}
	}
}

// Caught does something, and gives a panic in it as an error.
func Caught(do func() error) (err error) {
	defer Catch(&err)
	return do()
}
