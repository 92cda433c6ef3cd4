//go:build !linux

package bench

import (
	"errors"
	"syscall"
	"time"
)

// spent is for Linux alone.
func spent(int) (time.Duration, error) {
	return 0, errors.New("the processor time of other processes is measured on Linux only")
}

func ofItsOwn() *syscall.SysProcAttr { return nil }
