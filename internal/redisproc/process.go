package redisproc

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// process is a child of this process that is reaped as soon as it ends.
type process struct {
	child *os.Process
	ended chan struct{} // closed once the child is reaped
}

// startProcess runs bin in dir with its output in log.
func startProcess(bin string, args []string, dir string, log *os.File) (*process, error) {
	cmd := exec.Command(bin, args...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = dieWithParent()

	p := &process{ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		defer close(p.ended)
		// Linux sends the death signal when the *thread* that made the child
		// ends, so that thread must live as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		p.child = cmd.Process
		started <- err
		if err == nil {
			cmd.Wait() // a killed child is no error here
		}
	}()
	return p, <-started
}

func (p *process) pid() int { return p.child.Pid }

func (p *process) signal(s syscall.Signal) error { return p.child.Signal(s) }

// kill ends the child, stopped or not, and returns when it is reaped.
func (p *process) kill() {
	p.child.Kill() // an error means that it has ended already
	<-p.ended
}

func (p *process) gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}
