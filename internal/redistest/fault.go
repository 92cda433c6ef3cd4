package redistest

import (
	"fmt"
	"regexp"
	"sync"
	"sync/atomic"

	"github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
)

// The two fault points sit in each connection of a proxy, one on the way to
// Redis and one on the way back; toxiproxy makes them by these names.
const (
	requestKind = "redistest_requests"
	replyKind   = "redistest_replies"
)

func init() {
	toxics.Register(requestKind, new(requests))
	toxics.Register(replyKind, new(replies))
}

type faultPoint interface{ attach(*faults) }

// faults is what one proxy is told to spoil, shared by its connections.
type faults struct {
	cutAll atomic.Bool
	lost   atomic.Int64
	over   chan struct{} // closed when the proxy will never be used again

	mu      sync.Mutex
	armed   *regexp.Regexp // the command whose reply is to be lost, or nil
	opening *connection    // the one whose reply side comes next
}

// connection ties the two fault points of one connection together.
type connection struct {
	loseReply atomic.Bool
}

func newFaults() *faults { return &faults{over: make(chan struct{})} }

// arm looks for the command as RESP writes it, *2 $4 INCR $1 k, so that a key
// of the same name is not taken for it.
func (f *faults) arm(command string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = regexp.MustCompile(fmt.Sprintf(`(?i)\*\d+\r\n\$%d\r\n%s\r\n`, len(command), regexp.QuoteMeta(command)))
}

func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cutAll.Store(false)
	f.armed = nil
}

// strikes tells whether the armed command is in data, and disarms it if so.
func (f *faults) strikes(data []byte) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.armed == nil || !f.armed.Match(data) {
		return false
	}
	f.armed = nil
	return true
}

// forward passes c on. Toxiproxy's writer stops reading when its socket is
// closed, so after the test there may be nobody to take it.
func (f *faults) forward(stub *toxics.ToxicStub, c *stream.StreamChunk) {
	select {
	case stub.Output <- c:
	case <-f.over:
	}
}

// requests watches what goes to Redis for the armed command.
type requests struct{ faults *faults }

func (r *requests) attach(f *faults) { r.faults = f }

// NewState is called for the request side of a connection first and for its
// reply side right after it, by the one goroutine that accepts connections.
func (r *requests) NewState() any {
	r.faults.mu.Lock()
	defer r.faults.mu.Unlock()
	r.faults.opening = new(connection)
	return r.faults.opening
}

// Pipe passes everything on, and marks the connection when the command comes.
func (r *requests) Pipe(stub *toxics.ToxicStub) {
	conn := stub.State.(*connection)
	for c := range stub.Input {
		if r.faults.strikes(c.Data) {
			conn.loseReply.Store(true)
		}
		r.faults.forward(stub, c)
	}
	stub.Close()
}

// replies lets the answers of Redis through until one is to be lost.
type replies struct{ faults *faults }

func (r *replies) attach(f *faults) { r.faults = f }

// NewState returns the connection whose request side was made just before.
func (r *replies) NewState() any {
	r.faults.mu.Lock()
	defer r.faults.mu.Unlock()
	return r.faults.opening
}

// Pipe closes the client's side in place of a lost reply and reads on, so that
// Redis can finish what it was asked.
func (r *replies) Pipe(stub *toxics.ToxicStub) {
	conn := stub.State.(*connection)
	for c := range stub.Input {
		switch {
		case stub.Closed():
		case conn.loseReply.Load() || r.faults.cutAll.Load():
			r.faults.lost.Add(1)
			stub.Close()
		default:
			r.faults.forward(stub, c)
		}
	}
	stub.Close()
}
