package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/makeamends/amends/internal/auth"
	"github.com/makeamends/amends/internal/files"
	"github.com/makeamends/amends/internal/telemetry"
)

// openGuard reads the access file, or lets everybody in where there is none.
func (s *Server) openGuard(ctx context.Context) error {
	if s.config.Access == "" {
		s.guard = auth.Open()
		return nil
	}
	text, err := os.ReadFile(s.config.Access)
	if err != nil {
		return fmt.Errorf("the access file cannot be read: %w", err)
	}
	access, err := s.parseAccess(text)
	if err != nil {
		return fmt.Errorf("the access file has faults:\n%w", err)
	}
	s.accessText = text
	s.transport.tokens.Store(access.ByToken())
	s.guard = auth.NewGuard(ctx, access, s.keysChanged, func(all bool) { s.telemetry.Metrics.FilesInForce(telemetry.KeysFile, all) })
	return nil
}

// parseAccess reads an access file and compares it with how calls come in.
func (s *Server) parseAccess(text []byte) (*auth.Access, error) {
	access, findings := auth.Parse(s.config.Access, text)
	if err := findings.Err(); err != nil {
		return nil, err
	}
	if access.ByCertificate() && s.config.ClientCA == "" {
		return nil, errors.New("it knows callers by their certificates, and none is asked for: name the authorities that sign them with --client-ca")
	}
	return access, nil
}

// watchAccess takes over every sound change of the access file.
func (s *Server) watchAccess() {
	if s.config.Access == "" {
		return
	}
	r := &reload{file: telemetry.AccessFile}
	err := files.Follow(s.background, func(contents [][]byte, err error) bool {
		if err == nil && bytes.Equal(contents[0], s.accessText) && r.trouble == "" {
			return true // as it was read at the start
		}
		if err == nil {
			err = s.adoptAccess(contents[0])
		}
		s.reloaded(r, err)
		return err == nil
	}, s.config.Access)
	if err != nil {
		s.reloaded(r, fmt.Errorf("they are not watched, and changes need a restart: %w", err))
	}
}

func (s *Server) adoptAccess(text []byte) error {
	access, err := s.parseAccess(text)
	if err != nil {
		return err
	}
	s.accessText = text
	s.guard.Adopt(access)
	s.transport.tokens.Store(access.ByToken())
	return nil
}

// keysChanged tells that an issuer has other keys, or why they were not taken over.
func (s *Server) keysChanged(issuer string, err error) {
	if err != nil {
		s.telemetry.Metrics.FilesRefused(telemetry.KeysFile)
		s.config.Logger.Error("the keys of an issuer of tokens were not taken over; those that are known stay", "issuer", issuer, "error", err)
		return
	}
	s.config.Logger.Info("the keys of an issuer of tokens were taken over", "issuer", issuer)
}

// warnOfStrangers says what protects nobody.
func (s *Server) warnOfStrangers() {
	if s.config.Insecure && !s.config.encrypts() {
		s.config.Logger.Warn("calls are not encrypted; only a network that keeps strangers out protects them")
	}
	if s.config.Access == "" {
		s.config.Logger.Warn("nobody is asked who they are: whoever reaches the address may do everything, approve and erase too; --access names who may do what",
			"address", s.Addr())
	}
}
