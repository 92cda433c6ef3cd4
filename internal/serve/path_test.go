package serve_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"

	"github.com/makeamends/amends/internal/serve"
	recoveryv1 "github.com/makeamends/amends/proto/recovery/v1"
)

// rawCall sends one call over a connection of its own, with the headers as they
// are, and gives what came back: grpc-go as a client would not send most of these.
func rawCall(t *testing.T, conn net.Conn, headers [][2]string, message []byte) (status string, all map[string]string) {
	t.Helper()
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_ = framer.WriteSettings()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, h := range headers {
		_ = encoder.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
	}
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
	_ = framer.WriteData(1, true, append(append([]byte{0}, binary.BigEndian.AppendUint32(nil, uint32(len(message)))...), message...))
	all = map[string]string{}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return "closed", all
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			for _, field := range f.Fields {
				all[field.Name] = field.Value
			}
			if f.StreamEnded() {
				return all["grpc-status"], all
			}
		case *http2.RSTStreamFrame:
			return "reset", all
		case *http2.GoAwayFrame:
			return "closed", all
		}
	}
}

// A path that only looks like one that is allowed is none.
func TestPathsThatAreNotQuite(t *testing.T) {
	f := defend(t, byCertificate("reader"), serve.Config{})
	pair := f.authority.Client(t, "spiffe://test/reader").TLS(t)
	message, err := proto.Marshal(recoveryv1.ListCasesRequest_builder{}.Build())
	if err != nil {
		t.Fatal(err)
	}
	call := func(path string, more ...[2]string) string {
		t.Helper()
		conn, err := tls.Dial("tcp", f.Addr(), &tls.Config{RootCAs: f.authority.Pool(), ServerName: "localhost", Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"}})
		if err != nil {
			t.Fatal(err)
		}
		headers := [][2]string{{":method", "POST"}, {":scheme", "https"}, {":path", path}, {":authority", "localhost"}, {"content-type", "application/grpc"}, {"te", "trailers"}}
		status, _ := rawCall(t, conn, append(headers, more...), message)
		return status
	}
	const listCases, erase = "/recovery.v1.RecoveryService/ListCases", "/recovery.v1.RecoveryService/EraseCustomer"
	if got := call(listCases); got != "0" {
		t.Fatalf("as it should be: grpc-status %s", got)
	}
	if got := call(erase); got != "7" {
		t.Fatalf("a method that is not allowed: grpc-status %s, want 7 (PERMISSION_DENIED)", got)
	}
	for _, known := range []string{listCases, erase} {
		bare := strings.TrimPrefix(known, "/")
		for _, path := range []string{
			bare, "/" + known, known + "/", known + "//", "//" + known, known + "?x=1", known + "#x", known + "%20", known + " ", known + "\x00",
			strings.ToLower(known), strings.ToUpper(known), strings.Replace(known, "Service/", "Service//", 1),
			strings.Replace(known, "recovery", "%72ecovery", 1), strings.Replace(known, "/recovery", "%2Frecovery", 1), strings.Replace(known, "Service/", "Service%2f", 1),
			"/x/.." + known, "/." + known, "https://localhost" + known, strings.ReplaceAll(known, "/", "\\"), "*", "/", "",
			"/recovery.v1.RecoveryService/", "/RecoveryService/ListCases", "/recovery.v1.recoveryservice/ListCases", "/grpc.health.v1.Health/../../" + bare,
			"/grpc.health.v1.Health/Check/" + bare,
		} {
			switch got := call(path); got {
			case "7", "12", "3", "13", "closed", "reset": // denied, unimplemented, malformed, or no HTTP/2 at all
			default:
				t.Errorf("%q: grpc-status %s, want it refused", path, got)
			}
		}
	}
	// Two paths, and a second authorization in another case, are no way either.
	if got := call(erase, [2]string{":path", listCases}); got == "0" {
		t.Errorf("two paths: grpc-status %s", got)
	}
	if log := f.log.String(); strings.Contains(log, `EraseCustomer","code":"OK"`) || strings.Contains(log, "panic") {
		t.Errorf("something was let through:\n%s", log)
	}
	if err := look(t.Context(), f.as(t, "reader")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
