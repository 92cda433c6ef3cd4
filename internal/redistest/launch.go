package redistest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	configFile = "redis.conf"
	// Redis answers after some 15 ms on an idle machine; a crowded one may
	// need seconds before that is a fault.
	startLimit = 15 * time.Second
)

var errPortTaken = errors.New("another process took the port")

// launch starts the process in dir on a fresh port and waits until it answers.
func launch(s spec, dir string) (*Instance, error) {
	log, err := os.OpenFile(filepath.Join(dir, "redis.log"), os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	i := &Instance{spec: s, dir: dir, log: log}
	for range 5 {
		err = i.tryPort()
		if !errors.Is(err, errPortTaken) {
			break
		}
	}
	if err != nil {
		log.Close()
		return nil, err
	}
	i.client = redis.NewClient(Options(i.Addr()))
	return i, nil
}

func (i *Instance) tryPort() (err error) {
	if i.port, err = freePort(); err != nil {
		return err
	}
	if i.spec.cluster {
		if i.busPort, err = freePort(); err != nil {
			return err
		}
	}
	if err := i.log.Truncate(0); err != nil {
		return err
	}
	if err := i.writeConfig(); err != nil {
		return err
	}
	return i.run()
}

// run starts the process on the instance's port and returns when it answers.
func (i *Instance) run() error {
	args := []string{configFile}
	if i.spec.sentinel {
		args = append(args, "--sentinel")
	}
	p, err := startProcess(i.spec.binary, args, i.dir, i.log)
	if err != nil {
		return err
	}
	if err := i.await(p); err != nil {
		p.kill()
		return err
	}
	i.proc = p
	return nil
}

// await returns when p itself, not a stranger on the same port, answers PING.
func (i *Instance) await(p *process) error {
	var last error
	for limit := time.Now().Add(startLimit); time.Now().Before(limit); time.Sleep(2 * time.Millisecond) {
		if p.gone() {
			log := tail(i.log)
			if strings.Contains(log, "in use") {
				return errPortTaken
			}
			return fmt.Errorf("it ended before it answered; its log:\n%s", log)
		}
		pid, err := askPid(i.Addr())
		if err == nil && pid == p.pid() {
			return nil
		}
		last = err
	}
	return fmt.Errorf("no answer at %s within %v (last: %v); its log:\n%s", i.Addr(), startLimit, last, tail(i.log))
}

// askPid returns the process id that the Redis at addr says it has, once it
// answers PING: while it loads its data it refuses that, but tells its pid.
func askPid(addr string) (int, error) {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	if _, err := fmt.Fprintf(c, "AUTH %s %s\r\nPING\r\nINFO server\r\n", administrator, password(administrator)); err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(c)
	if lines.Scan(); lines.Text() != "+OK" {
		return 0, fmt.Errorf("AUTH answered %q", lines.Text())
	}
	lines.Scan()
	if lines.Text() != "+PONG" {
		return 0, fmt.Errorf("PING answered %q", lines.Text())
	}
	for lines.Scan() {
		if pid, ok := strings.CutPrefix(lines.Text(), "process_id:"); ok {
			return strconv.Atoi(pid)
		}
	}
	return 0, errors.New("INFO told no process_id")
}

var ports struct {
	sync.Mutex
	given map[int]bool
}

// freePort finds a loopback port on which nobody listens and that this binary
// has not given out before. It stays below the range from which kernels take
// the ports of outgoing connections: one of those could otherwise sit on the
// port of a killed server and keep it from starting again.
func freePort() (int, error) {
	const low, high = 10000, 32768
	ports.Lock()
	defer ports.Unlock()
	if ports.given == nil {
		ports.given = make(map[int]bool)
	}
	for range 200 {
		port := low + rand.IntN(high-low)
		if ports.given[port] {
			continue
		}
		l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		ports.given[port] = true
		return port, l.Close()
	}
	return 0, errors.New("no free loopback port found in 200 tries")
}

// tail returns the last lines of a log, read through the open file since its
// directory may be gone.
func tail(log *os.File) string {
	const most = 8 << 10
	st, err := log.Stat()
	if err != nil {
		return err.Error()
	}
	b := make([]byte, min(st.Size(), most))
	n, err := log.ReadAt(b, st.Size()-int64(len(b)))
	if err != nil && !errors.Is(err, io.EOF) {
		return err.Error()
	}
	return string(bytes.TrimSpace(b[:n]))
}
