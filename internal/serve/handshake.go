package serve

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc/credentials"
)

// credentials are those of the gRPC server. Connections that are refused are told
// to the log by their kind.
func (s *Server) credentials() credentials.TransportCredentials {
	// The settings of every connection come from next; the minimum stands here too,
	// so that nothing weaker can ever be spoken.
	listening := credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: s.transport.next})
	return handshakes{listening, func(why string) {
		s.telemetry.Metrics.ConnectionRefused(why)
		s.config.Logger.Warn("a connection was refused", "reason", why)
	}}
}

// handshakes tells of those that fail, and lets the caller learn why.
type handshakes struct {
	credentials.TransportCredentials
	refused func(why string)
}

// ServerHandshake is that of the credentials.
func (h handshakes) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	patient := &patientConn{Conn: raw, failed: true}
	conn, info, err := h.TransportCredentials.ServerHandshake(patient)
	patient.failed = err != nil
	if why := handshakeFault(err); why != "" {
		h.refused(why)
	}
	return conn, info, err
}

// patientConn is closed slowly while its handshake has failed: a caller who has
// sent something meanwhile would get a reset of the connection, and lose the
// alert that says what is wrong with its certificate.
type patientConn struct {
	net.Conn
	failed bool
}

const (
	patienceTime  = 500 * time.Millisecond
	patienceBytes = 64 << 10
)

// Close closes the connection.
func (p *patientConn) Close() error {
	if half, ok := p.Conn.(interface{ CloseWrite() error }); ok && p.failed {
		_ = half.CloseWrite()
		_ = p.SetReadDeadline(time.Now().Add(patienceTime))
		_, _ = io.CopyN(io.Discard, p.Conn, patienceBytes)
	}
	return p.Conn.Close()
}

// handshakeFault names why a connection was refused, in fixed words: the texts of
// the library hold names out of certificates of strangers. It names nothing where
// somebody only looked whether the port is open.
func handshakeFault(err error) string {
	var plain tls.RecordHeaderError
	var unverified *tls.CertificateVerificationError
	switch {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return ""
	case errors.As(err, &plain):
		return "not TLS"
	case errors.As(err, &unverified):
		return "certificate " + certificateFault(unverified.Err)
	case strings.Contains(err.Error(), "didn't provide a certificate"):
		return "no certificate"
	default:
		return "handshake failed"
	}
}

func certificateFault(err error) string {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return "of an unknown authority"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "not valid at this time"
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return "not for clients"
	default:
		return "not valid"
	}
}
