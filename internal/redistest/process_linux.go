package redistest

import "syscall"

// childrenDieToo says that a child ends with the test binary, however that ends.
const childrenDieToo = true

func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
