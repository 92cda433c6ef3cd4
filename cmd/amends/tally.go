package main

import (
	"errors"
	"fmt"
)

// bulkError says that some lines of a file failed. It unwraps to the first of their errors, which sets the exit code.
type bulkError struct {
	first error
	text  string
}

func (e *bulkError) Error() string { return e.text }
func (e *bulkError) Unwrap() error { return e.first }

// err is nil if everything was recorded.
func (t tally) err() error {
	if t.first == nil {
		return nil
	}
	return &bulkError{first: t.first, text: t.String()}
}

// tally counts what became of the items.
type tally struct {
	recorded, replayed, failed, notSent int
	before                              int // of these, in an earlier run that this one goes on with
	first                               error
}

func (t *tally) add(it *item) {
	switch {
	case errors.Is(it.err, errNotSent):
		t.notSent++
	case it.err != nil:
		t.failed++
	case it.replayed:
		t.replayed++
	default:
		t.recorded++
	}
	if it.err != nil && t.first == nil {
		t.first = it.err
	}
}

func (t tally) String() string {
	text := fmt.Sprintf("%d read: %d recorded, %d known from before, %d failed",
		t.recorded+t.replayed+t.failed+t.notSent, t.recorded, t.replayed, t.failed)
	if t.notSent > 0 {
		text += fmt.Sprintf(", %d not sent", t.notSent)
	}
	return text
}
