package redisproc

import "syscall"

// ChildrenDieToo says that a server ends with this process, however that ends.
const ChildrenDieToo = true

func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
