package redisproc

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

var ports struct {
	sync.Mutex
	given map[int]bool
}

// FreePort finds a loopback port on which nobody listens and that this process
// has not given out before. It stays below the range from which kernels take
// the ports of outgoing connections: one of those could otherwise sit on the
// port of a killed server and keep it from starting again.
func FreePort() (int, error) {
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
		l, err := net.Listen("tcp4", local(port))
		if err != nil {
			continue
		}
		ports.given[port] = true
		return port, l.Close()
	}
	return 0, errors.New("no free loopback port found in 200 tries")
}

// local is the host:port of a loopback port.
func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
