package redisproc

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// startLimit bounds every wait for a process: Redis answers after some 15 ms on
// an idle machine; a crowded one may need seconds before that is a fault.
const startLimit = 15 * time.Second

var errPortTaken = errors.New("another process took the port")

// await returns when p itself, not a stranger on the same port, answers PING.
func (s *Server) await(ctx context.Context, p *process) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	err := poll(ctx, 2*time.Millisecond, func(context.Context) error {
		if p.gone() {
			return nil
		}
		pid, err := askPID(s.Addr())
		if err == nil && pid != p.pid() {
			err = errPortTaken
		}
		return err
	})
	switch {
	case p.gone() && strings.Contains(s.Log(), "in use"):
		return errPortTaken
	case p.gone():
		return fmt.Errorf("it ended before it answered; its log:\n%s", s.Log())
	case err != nil:
		return fmt.Errorf("no answer at %s: %w; its log:\n%s", s.Addr(), err, s.Log())
	}
	return nil
}

// Eventually calls ready until it returns nil, and gives up after 15 seconds or
// when ctx ends, with its last error.
func Eventually(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	return poll(ctx, 5*time.Millisecond, ready)
}

// poll calls ready until it returns nil or ctx ends.
func poll(ctx context.Context, every time.Duration, ready func(context.Context) error) error {
	begin := time.Now()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %v: %w", time.Since(begin).Round(time.Millisecond), err)
		case <-time.After(every):
		}
	}
}

// askPID returns the process id that the Redis at addr says it has, once it
// answers PING: while it loads its data it refuses that, but tells its pid.
func askPID(addr string) (int, error) {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	if _, err := fmt.Fprintf(c, "AUTH %s %s\r\nPING\r\nINFO server\r\n", administrator, Password(administrator)); err != nil {
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
