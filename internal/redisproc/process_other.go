//go:build !linux

package redisproc

import "syscall"

// ChildrenDieToo says that a server ends with this process, however that ends.
// Without the parent death signal only Stop ends it.
const ChildrenDieToo = false

func dieWithParent() *syscall.SysProcAttr { return nil }
