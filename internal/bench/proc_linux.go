package bench

import (
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// spent is the processor time of a process so far, to the nanosecond, whichever
// of its threads has spent it.
func spent(pid int) (time.Duration, error) {
	// As clock_getcpuclockid(3) makes the number of another process's clock.
	const sched = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|sched), &ts); err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// ofItsOwn keeps the Ctrl-C of a terminal from a child, which is ended in order
// instead, and ends it when this process ends, however it does.
func ofItsOwn() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
