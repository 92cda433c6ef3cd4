package serve

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/makeamends/amends/internal/files"
)

// transport is how calls come in: by TLS, with what its files held when they were
// last sound, or in the clear.
type transport struct {
	config atomic.Pointer[tls.Config] // nil: in the clear
	tokens atomic.Bool                // a token proves as well who calls
}

// openTransport reads the files of TLS.
func (s *Server) openTransport() error {
	if !s.config.encrypts() {
		return nil
	}
	names := s.config.tlsFiles()
	contents := make([][]byte, len(names))
	for i, name := range names {
		var err error
		if contents[i], err = os.ReadFile(name); err != nil {
			return fmt.Errorf("TLS cannot be set up: %w", err)
		}
	}
	if err := s.adoptTransport(contents); err != nil {
		return fmt.Errorf("TLS cannot be set up: %w", err)
	}
	return nil
}

// tlsFiles are the files of TLS: certificate, key and, where there are any, authorities.
func (c Config) tlsFiles() []string {
	names := []string{c.TLSCert, c.TLSKey}
	if c.ClientCA != "" {
		names = append(names, c.ClientCA)
	}
	return names
}

// watchTransport takes over every sound change of the files of TLS. Connections
// that are open stay as they are; new ones see the change.
func (s *Server) watchTransport() {
	if !s.config.encrypts() {
		return
	}
	r := &reload{file: tlsFiles}
	first := true
	err := files.Follow(s.background, func(contents [][]byte, err error) bool {
		if err == nil {
			err = s.adoptTransport(contents)
		}
		if !first || err != nil {
			s.reloaded(r, err)
		}
		first = false
		return err == nil
	}, s.config.tlsFiles()...)
	if err != nil {
		s.reloaded(r, fmt.Errorf("they are not watched, and changes need a restart: %w", err))
	}
}

// adoptTransport takes over the contents of the files of TLS.
func (s *Server) adoptTransport(contents [][]byte) error {
	pair, err := tls.X509KeyPair(contents[0], contents[1])
	if err != nil {
		return fmt.Errorf("%s and %s: %w", s.config.TLSCert, s.config.TLSKey, err)
	}
	if end := pair.Leaf.NotAfter; time.Now().After(end) {
		return fmt.Errorf("%s: the certificate has expired on %s", s.config.TLSCert, end.UTC().Format(time.DateTime))
	}
	next := &tls.Config{
		MinVersion:   tls.VersionTLS13,
		NextProtos:   []string{"h2"},
		Certificates: []tls.Certificate{pair},
		// A session that is resumed is not verified against authorities that
		// have changed since, and connections of gRPC last.
		SessionTicketsDisabled: true,
	}
	if s.config.ClientCA != "" {
		next.ClientCAs = x509.NewCertPool()
		if !next.ClientCAs.AppendCertsFromPEM(contents[2]) {
			return fmt.Errorf("%s: no certificate of an authority in PEM form is in it", s.config.ClientCA)
		}
	}
	s.transport.config.Store(next)
	return nil
}

// next is for the next connection. Where authorities are named a certificate must
// be shown, or may be where a token does as well; one that is shown is verified.
func (t *transport) next(*tls.ClientHelloInfo) (*tls.Config, error) {
	c := t.config.Load()
	if c.ClientCAs == nil {
		return c, nil
	}
	c = c.Clone()
	c.ClientAuth = tls.RequireAndVerifyClientCert
	if t.tokens.Load() {
		c.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return c, nil
}

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

// handshakes tells of those that fail.
type handshakes struct {
	credentials.TransportCredentials
	refused func(why string)
}

// ServerHandshake is that of the credentials.
func (h handshakes) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := h.TransportCredentials.ServerHandshake(raw)
	if why := handshakeFault(err); why != "" {
		h.refused(why)
	}
	return conn, info, err
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
