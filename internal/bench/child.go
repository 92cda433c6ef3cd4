package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// child is a server of this run in a process of its own.
type child struct {
	name  string
	log   string // file of what it writes
	cmd   *exec.Cmd
	ended chan struct{} // closed once it is reaped
}

// startChild runs the program with args; it ends with this process at the latest.
func startChild(dir, name, program string, env []string, args ...string) (*child, error) {
	c := &child{name: name, log: filepath.Join(dir, name+".log"), cmd: exec.Command(program, args...), ended: make(chan struct{})}
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	c.cmd.Dir, c.cmd.Env, c.cmd.Stdout, c.cmd.Stderr = dir, append(environment(), env...), log, log
	c.cmd.SysProcAttr = ofItsOwn()
	started := make(chan error)
	go func() {
		defer close(c.ended)
		defer log.Close()
		// Linux sends the death signal when the thread that made the child ends,
		// so that thread must live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			_ = c.cmd.Wait() // how it ended stands in its log
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start the %s: %w", name, err)
	}
	return c, nil
}

// environment is that of this process without settings that are meant for another
// service, and would change what is measured.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "AMENDS_") || strings.HasPrefix(v, "OTEL_")
	})
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// stop asks the process to end, and makes it end if it does not.
func (c *child) stop() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // an error means that it has ended
	select {
	case <-c.ended:
	case <-time.After(3 * time.Second):
		c.kill()
	}
}

// kill ends the process at once.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.ended
}

// await returns when something holds of the process, or tells why it ended.
func (c *child) await(ctx context.Context, holds func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := holds(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-c.ended:
			return fmt.Errorf("the %s ended before it served:\n%s", c.name, c.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("the %s does not serve: %w (%v)", c.name, ctx.Err(), err)
		case <-time.After(time.Millisecond):
		}
	}
}

// lastWords are the end of the log.
func (c *child) lastWords() string {
	const most = 2 << 10
	f, err := os.Open(c.log)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	if size, err := f.Seek(0, io.SeekEnd); err == nil {
		_, _ = f.Seek(max(0, size-most), io.SeekStart)
	}
	text, _ := io.ReadAll(f)
	return string(text)
}

// freeAddr is an address of this machine on which nobody listens.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
