package serve_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
)

// The load of a measurement must cost much less than what it loads, or it
// measures itself. So a crowd speaks HTTP/2 by hand, without a goroutine a call.
const (
	crowdLines  = 4   // connections
	mostAtATime = 250 // calls under way on one of them
	plenty      = 1 << 30
)

// crowd sends calls over several connections, at moments that do not depend on
// the answers.
type crowd struct {
	lines []*crowdLine
	next  int
}

// crowdLine is one connection.
type crowdLine struct {
	out   *bufio.Writer
	frame *http2.Framer

	mu     sync.Mutex
	ended  *sync.Cond // fewer calls are under way
	id     uint32     // of the next stream
	calls  map[uint32]*attempt
	window int // bytes that the server takes just now
}

// attempt is one call of a crowd.
type attempt struct {
	kind  string    // what was asked for
	due   time.Time // when it was to be sent
	over  time.Time // when its answer had come; zero: it was never sent
	code  codes.Code
	bytes []byte         // the answer, if keep is set
	keep  bool           // the answer matters
	then  func(*attempt) // called when it has ended
}

// took is the time from when the call was to be sent until its answer.
func (a *attempt) took() time.Duration { return a.over.Sub(a.due) }

func newCrowd(tb testing.TB, addr string) *crowd {
	tb.Helper()
	c := &crowd{}
	for range crowdLines {
		c.lines = append(c.lines, openLine(tb, addr))
	}
	return c
}

func openLine(tb testing.TB, addr string) *crowdLine {
	tb.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	l := &crowdLine{out: bufio.NewWriterSize(conn, 64<<10), calls: map[uint32]*attempt{}, id: 1, window: 1<<16 - 1}
	l.ended = sync.NewCond(&l.mu)
	l.frame = http2.NewFramer(l.out, bufio.NewReaderSize(conn, 64<<10))
	// What cannot be written is noticed by read.
	_, _ = l.out.WriteString(http2.ClientPreface)
	_ = l.frame.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: plenty})
	_ = l.frame.WriteWindowUpdate(0, plenty)
	_ = l.out.Flush()
	go l.read()
	return l
}

// send writes a call into the buffer of a connection; false: none takes another.
func (c *crowd) send(path string, body []byte, a *attempt) bool {
	for range c.lines {
		c.next = (c.next + 1) % len(c.lines)
		if c.lines[c.next].send(path, body, a) {
			return true
		}
	}
	return false
}

// flush sends what is in the buffers.
func (c *crowd) flush() {
	for _, l := range c.lines {
		l.mu.Lock()
		_ = l.out.Flush()
		l.mu.Unlock()
	}
}

// wait returns when nothing is under way any more.
func (c *crowd) wait() {
	for _, l := range c.lines {
		l.mu.Lock()
		for len(l.calls) > 0 {
			l.ended.Wait()
		}
		l.mu.Unlock()
	}
}

func (l *crowdLine) send(path string, body []byte, a *attempt) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	message := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body)))
	message = append(message, body...)
	if len(l.calls) >= mostAtATime || l.window < len(message) {
		return false
	}
	l.calls[l.id] = a
	l.window -= len(message)
	_ = l.frame.WriteHeaders(http2.HeadersFrameParam{StreamID: l.id, BlockFragment: headersOf(path), EndHeaders: true})
	_ = l.frame.WriteData(l.id, true, message)
	l.id += 2
	return true
}

var knownHeaders sync.Map

// headersOf encodes the headers of a call without a dynamic table, so that they
// are the same on every connection at every time.
func headersOf(path string) []byte {
	if known, ok := knownHeaders.Load(path); ok {
		return known.([]byte)
	}
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for _, f := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", path}, {":authority", "crowd"},
		{"content-type", "application/grpc"}, {"te", "trailers"}, {"grpc-timeout", strconv.FormatInt(usefulBy.Milliseconds(), 10) + "m"},
	} {
		_ = e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1], Sensitive: true}) // never fails
	}
	knownHeaders.Store(path, b.Bytes())
	return b.Bytes()
}

// read takes what comes until the connection ends.
func (l *crowdLine) read() {
	status := ""
	headers := hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		if f.Name == "grpc-status" {
			status = f.Value
		}
	})
	for {
		f, err := l.frame.ReadFrame()
		if err != nil {
			l.lost()
			return
		}
		switch f := f.(type) {
		case *http2.DataFrame:
			l.data(f)
		case *http2.HeadersFrame:
			status = ""
			_, _ = headers.Write(f.HeaderBlockFragment())
			if f.StreamEnded() {
				n, err := strconv.Atoi(status)
				if err != nil {
					n = int(codes.Unknown)
				}
				l.end(f.StreamID, codes.Code(n))
			}
		case *http2.RSTStreamFrame:
			l.end(f.StreamID, codes.Unavailable)
		default:
			l.control(f)
		}
	}
}

func (l *crowdLine) data(f *http2.DataFrame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.calls[f.StreamID]; a != nil && a.keep {
		a.bytes = append(a.bytes, f.Data()...)
	}
	if n := len(f.Data()); n > 0 {
		_ = l.frame.WriteWindowUpdate(0, uint32(n))
	}
}

func (l *crowdLine) control(f http2.Frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch f := f.(type) {
	case *http2.WindowUpdateFrame:
		if f.StreamID == 0 {
			l.window += int(f.Increment)
		}
	case *http2.SettingsFrame:
		if !f.IsAck() {
			_ = l.frame.WriteSettingsAck()
			_ = l.out.Flush()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			_ = l.frame.WritePing(true, f.Data)
			_ = l.out.Flush()
		}
	}
}

func (l *crowdLine) end(id uint32, code codes.Code) {
	l.mu.Lock()
	a := l.calls[id]
	if a == nil { // refused, and reset after that
		l.mu.Unlock()
		return
	}
	delete(l.calls, id)
	a.code, a.over = code, time.Now()
	l.ended.Broadcast()
	l.mu.Unlock()
	if a.then != nil {
		a.then(a)
	}
}

// lost ends what is under way when the connection has ended.
func (l *crowdLine) lost() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, a := range l.calls {
		delete(l.calls, id)
		a.code, a.over = codes.Unavailable, time.Now()
	}
	l.ended.Broadcast()
}
