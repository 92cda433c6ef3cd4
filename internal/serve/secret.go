package serve

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
)

// leastSecret is the length of a secret, in bytes.
const leastSecret = 32

// howToMake tells how to make a secret.
const howToMake = "make one with: (umask 077; set -C; head -c 32 /dev/urandom | base64 > amends.key) and keep it for as long as the data"

// secret is what makes the customer keys: given, read from a file, or made up
// for a store that ends with the process.
func (c Config) secret() ([]byte, error) {
	switch {
	case c.Secret != nil:
		return enough(c.Secret)
	case c.KeyFile != "":
		return readSecret(c.KeyFile)
	case c.Redis == embedded:
		made := make([]byte, leastSecret)
		_, _ = rand.Read(made) // never fails
		return made, nil
	default:
		return nil, errors.New("a key file is required: its secret turns customer ids into the keys under which they are kept; " + howToMake)
	}
}

func readSecret(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("the key file cannot be read: %w; %s", err, howToMake)
	}
	const others = 0o007
	if info.Mode().Perm()&others != 0 {
		return nil, fmt.Errorf("everybody on this machine may use the key file %s: chmod 600 %s", path, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the key file cannot be read: %w", err)
	}
	secret, err := enough(bytes.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return secret, nil
}

func enough(secret []byte) ([]byte, error) {
	if len(secret) < leastSecret {
		return nil, fmt.Errorf("the secret has %d bytes and needs %d; %s", len(secret), leastSecret, howToMake)
	}
	return secret, nil
}
