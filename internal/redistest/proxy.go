package redistest

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/makeamends/amends/internal/redisproc"
)

// ProxyInstance is a TCP proxy in front of a Redis that can lose connections,
// or only replies, so that a command is executed and its caller never learns.
type ProxyInstance struct {
	tb     testing.TB
	proxy  *toxiproxy.Proxy
	faults *faults
}

// Proxy starts a faultless proxy in front of upstreamAddr (host:port), which
// ends with tb. A client of a cluster or of a sentinel is told the servers' own
// addresses and goes past it.
func Proxy(tb testing.TB, upstreamAddr string) *ProxyInstance {
	tb.Helper()
	p := &ProxyInstance{tb: tb, faults: newFaults()}
	var err error
	for range 5 {
		if err = p.listen(upstreamAddr); err == nil {
			break
		}
	}
	if err != nil {
		tb.Fatalf("starting a proxy in front of %s: %v", upstreamAddr, err)
	}
	tb.Cleanup(func() {
		p.proxy.Stop()
		close(p.faults.over)
	})
	return p
}

// listen opens the proxy on a fresh port, the fault points already in place:
// toxiproxy can add them to open connections only between two of their bytes.
func (p *ProxyInstance) listen(upstreamAddr string) error {
	port, err := redisproc.FreePort()
	if err != nil {
		return err
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	p.proxy = toxiproxy.NewProxy(server, p.tb.Name(), addr, upstreamAddr)
	for kind, direction := range map[string]string{requestKind: "upstream", replyKind: "downstream"} {
		w, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(
			fmt.Sprintf(`{"type": %q, "stream": %q}`, kind, direction)))
		if err != nil {
			return fmt.Errorf("fault point %s: %w", kind, err)
		}
		w.Toxic.(faultPoint).attach(p.faults)
	}
	return p.proxy.Start()
}

// Addr is the host:port of the proxy; it stays the same through Cut and Restore.
func (p *ProxyInstance) Addr() string { return p.proxy.Listen }

// URL is the proxy's address in the form redis://user:password@host:port, for
// the service's user.
func (p *ProxyInstance) URL() string { return "redis://" + redisproc.Login() + p.Addr() }

// Cut closes every connection and refuses new ones until Restore. What was on
// its way may or may not reach Redis; LoseReplyTo leaves no such doubt.
func (p *ProxyInstance) Cut() { p.proxy.Stop() }

// CutReplies lets requests reach Redis but, until Restore, closes each
// connection in place of its next reply. A new connection gets no further than
// its greeting, so a command is executed once for each connection that is open
// already; a client that holds several may repeat it on each.
func (p *ProxyInstance) CutReplies() { p.faults.cutAll.Store(true) }

// LoseReplyTo closes, once, the connection on which the next command of that
// name (evalsha, say; case does not matter) was sent, in place of the reply. It
// then disarms itself: the client may repeat the command and get an answer.
// With several commands in flight on one connection, all of them that have no
// reply yet are executed and lose it.
func (p *ProxyInstance) LoseReplyTo(command string) { p.faults.arm(command) }

// LostReplies counts the connections that were closed in place of a reply: a
// test of such a loss should see that it happened.
func (p *ProxyInstance) LostReplies() int { return int(p.faults.lost.Load()) }

// Restore ends every fault. Connections that were closed stay so.
func (p *ProxyInstance) Restore() {
	p.tb.Helper()
	p.faults.clear()
	if err := p.proxy.Start(); err != nil && err != toxiproxy.ErrProxyAlreadyStarted {
		p.tb.Fatalf("opening the proxy at %s again: %v", p.Addr(), err)
	}
}
