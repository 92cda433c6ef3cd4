//go:build !linux

package redistest

import "syscall"

// childrenDieToo says that a child ends with the test binary, however that
// ends. Without the parent death signal only a test's own cleanup ends it.
const childrenDieToo = false

func dieWithParent() *syscall.SysProcAttr { return nil }
