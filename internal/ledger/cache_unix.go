//go:build unix

package ledger

import "golang.org/x/sys/unix"

// reserve gives memory outside of Go's heap. It takes none before it is written to.
func reserve(size int) ([]byte, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
}

// release gives it back; nobody may look into it any more.
func release(memory []byte) error { return unix.Munmap(memory) }
