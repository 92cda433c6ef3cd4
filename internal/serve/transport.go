package serve

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/makeamends/amends/internal/files"
	"github.com/makeamends/amends/internal/telemetry"
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
	r := &reload{file: telemetry.TLSFiles}
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
	if err := current(pair.Leaf, time.Now()); err != nil {
		return fmt.Errorf("%s: %w", s.config.TLSCert, err)
	}
	next := &tls.Config{
		MinVersion:   tls.VersionTLS13,
		NextProtos:   []string{"h2"},
		Certificates: []tls.Certificate{pair},
		// A session that is resumed is not verified against authorities that
		// have changed since, and connections of gRPC last.
		SessionTicketsDisabled: true,
	}
	until := time.Time{}
	if s.config.ClientCA != "" {
		if next.ClientCAs, until, err = authorities(contents[2]); err != nil {
			return fmt.Errorf("%s: %w", s.config.ClientCA, err)
		}
	}
	s.transport.config.Store(next)
	s.telemetry.Metrics.CertificatesUntil(pair.Leaf.NotAfter, until)
	return nil
}

// current is an error unless the certificate is valid at that time.
func current(c *x509.Certificate, now time.Time) error {
	switch {
	case now.After(c.NotAfter):
		return fmt.Errorf("the certificate has expired on %s", c.NotAfter.UTC().Format(time.DateTime))
	case now.Before(c.NotBefore):
		return fmt.Errorf("the certificate is not valid before %s; show one that is, or see to the clock", c.NotBefore.UTC().Format(time.DateTime))
	}
	return nil
}

// authorities reads a bundle as a whole: one of which a part cannot be read was
// perhaps only half written, and would shut out whom the rest of it vouches for.
// Text around the certificates is passed over, as it is everywhere. The last of them
// is good until then: of two, of which one follows the other, the old one may expire.
func authorities(bundle []byte) (_ *x509.CertPool, until time.Time, _ error) {
	pool, certificates := x509.NewCertPool(), 0
	begun := bytes.Count(bundle, []byte("-----BEGIN "))
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if block.Type != "CERTIFICATE" || err != nil {
			return nil, until, fmt.Errorf("block %d is no certificate of an authority that can be read", certificates+1)
		}
		pool.AddCert(c)
		if c.NotAfter.After(until) {
			until = c.NotAfter
		}
		certificates++
	}
	switch {
	case certificates == 0:
		return nil, until, errors.New("no certificate of an authority in PEM form is in it")
	case certificates != begun:
		return nil, until, fmt.Errorf("of %d blocks in PEM form %d can be read; the file is perhaps not whole", begun, certificates)
	}
	return pool, until, nil
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
