package serve_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// door is a connection to a server over which a test sends what no client would.
type door struct {
	net.Conn
	*http2.Framer
	tb      testing.TB
	headers bytes.Buffer
	encode  *hpack.Encoder
}

// arrive connects and says nothing yet.
func arrive(tb testing.TB, addr string) *door {
	tb.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { conn.Close() })
	d := &door{Conn: conn, tb: tb, Framer: http2.NewFramer(conn, conn)}
	d.encode = hpack.NewEncoder(&d.headers)
	return d
}

// greet begins to speak HTTP/2.
func greet(tb testing.TB, addr string) *door {
	tb.Helper()
	d := arrive(tb, addr)
	d.mustWrite([]byte(http2.ClientPreface))
	if err := d.WriteSettings(); err != nil {
		tb.Fatal(err)
	}
	return d
}

func (d *door) mustWrite(b []byte) {
	d.tb.Helper()
	if _, err := d.Conn.Write(b); err != nil {
		d.tb.Fatal(err)
	}
}

// fields are the headers of a call, and more.
func fields(path string, more ...string) (all []hpack.HeaderField) {
	pairs := append([]string{":method", "POST", ":scheme", "http", ":path", path, ":authority", "door", "content-type", "application/grpc", "te", "trailers"}, more...)
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return all
}

// block encodes headers.
func (d *door) block(all []hpack.HeaderField) []byte {
	d.headers.Reset()
	for _, f := range all {
		_ = d.encode.WriteField(f) // into memory
	}
	return d.headers.Bytes()
}

// call begins a call on a stream; more are headers.
func (d *door) call(id uint32, path string, more ...string) error {
	return d.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: d.block(fields(path, more...)), EndHeaders: true})
}

// message is the bytes of a message of gRPC; flag 1 says that it is compressed.
func message(flag byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flag}, uint32(len(body))), body...)
}

// pour sends bytes on a stream in frames, as many as the server takes in at first.
func (d *door) pour(id uint32, b []byte, last bool) error {
	const frame = 16 << 10
	for len(b) > frame {
		if err := d.WriteData(id, false, b[:frame]); err != nil {
			return err
		}
		b = b[frame:]
	}
	return d.WriteData(id, last, b)
}

// answer reads until a stream has ended: with a status of gRPC, or with a reset,
// or with the connection.
func (d *door) answer(id uint32, within time.Duration) (*status.Status, error) {
	_ = d.SetReadDeadline(time.Now().Add(within))
	st := &spb.Status{Code: int32(codes.Unknown)}
	decode := hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		switch f.Name {
		case "grpc-status":
			n, _ := strconv.Atoi(f.Value)
			st.Code = int32(n)
		case "grpc-message":
			st.Message = f.Value
		case "grpc-status-details-bin":
			if b, err := base64.RawStdEncoding.DecodeString(f.Value); err == nil {
				_ = proto.Unmarshal(b, st)
			}
		}
	})
	for {
		f, err := d.ReadFrame()
		if err != nil {
			return nil, err
		}
		switch f := f.(type) {
		case *http2.HeadersFrame:
			if _, err := decode.Write(f.HeaderBlockFragment()); err != nil {
				return nil, err
			}
			if f.StreamID == id && f.StreamEnded() {
				return status.FromProto(st), nil
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == id {
				return nil, http2.StreamError{StreamID: id, Code: f.ErrCode}
			}
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo {
				return nil, fmt.Errorf("the server went away: %v, %q", f.ErrCode, f.DebugData())
			}
		}
	}
}

// shut waits until the server has closed the connection.
func (d *door) shut(within time.Duration) {
	d.tb.Helper()
	_ = d.SetReadDeadline(time.Now().Add(within))
	if _, err := io.Copy(io.Discard, d.Conn); errors.Is(err, os.ErrDeadlineExceeded) {
		d.tb.Errorf("not closed within %s", within)
	}
}

// gone reports whether the server has closed the connection.
func gone(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}
