package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// transport is how the connection is protected. It never falls back: plaintext
// is spoken on this machine, or where the caller has said so.
func (c Config) transport(f *faults) credentials.TransportCredentials {
	secure := c.TLS || c.CA != "" || c.Cert != "" || c.Key != "" || c.Token != nil || c.TokenFile != ""
	switch {
	case c.Insecure && secure:
		f.add("Insecure", "asks for plaintext, while certificates and tokens are for TLS: leave one out")
		return nil
	case c.Insecure, !secure && isLocal(c.Target):
		return insecure.NewCredentials()
	}
	if (c.Cert == "") != (c.Key == "") {
		f.add("Cert", "goes with a key, and a key with a certificate: name both files")
	}
	c.checkToken(f)
	files := tlsFiles{TransportCredentials: credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS13}), ca: c.CA, cert: c.Cert, key: c.Key}
	files.check(f)
	return files
}

// tlsFiles are TLS credentials of which the files are read for every new
// connection, so that those count that are there now. One that cannot be read
// or does not fit its key fails the connection, which is tried again.
type tlsFiles struct {
	credentials.TransportCredentials // without any file

	ca, cert, key string
}

// check finds at the start what would fail every connection.
func (t tlsFiles) check(f *faults) {
	if _, err := t.roots(); err != nil {
		f.add("CA", "%v", err)
	}
	if t.cert == "" || t.key == "" {
		return
	}
	if _, err := t.identity(); err != nil {
		f.add("Cert", "%v", err)
	}
}

// ClientHandshake secures a connection with the files as they are.
func (t tlsFiles) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	roots, err := t.roots()
	if err != nil {
		return nil, nil, err
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots}
	if t.cert != "" {
		own, err := t.identity()
		if err != nil {
			return nil, nil, err
		}
		settings.Certificates = []tls.Certificate{own}
	}
	return credentials.NewTLS(settings).ClientHandshake(ctx, authority, conn)
}

// Clone makes a copy, as gRPC demands.
func (t tlsFiles) Clone() credentials.TransportCredentials {
	t.TransportCredentials = t.TransportCredentials.Clone()
	return t
}

// roots are the certificates to trust; nil: those of the system.
func (t tlsFiles) roots() (*x509.CertPool, error) {
	if t.ca == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(t.ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", t.ca)
	}
	return pool, nil
}

// identity is the certificate of the caller.
func (t tlsFiles) identity() (tls.Certificate, error) {
	own, err := tls.LoadX509KeyPair(t.cert, t.key)
	var path *os.PathError
	if err != nil && !errors.As(err, &path) {
		err = fmt.Errorf("%s and %s: %w", t.cert, t.key, err)
	}
	return own, err
}
