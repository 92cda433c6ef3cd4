package redistest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// The users of deploy/redis/users.acl that tests log in as.
const (
	service       = "amends"   // the service: what a URL names
	administrator = "admin"    // the tests: what a Client is
	replicator    = "replica"  // a replica at its master
	observer      = "sentinel" // a sentinel at the servers
)

const usersFile = "users.acl"

// secret makes the passwords of all servers of this test binary.
var secret = rand.Text()

func password(user string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(user+secret)))
}

var placeholder = regexp.MustCompile(`#([A-Z]+)_PASSWORD_SHA256`)

// users is an ACL file of the deployment with the passwords of this test binary.
func users(file string) string {
	return placeholder.ReplaceAllStringFunc(file, func(found string) string {
		user := strings.ToLower(placeholder.FindStringSubmatch(found)[1])
		return fmt.Sprintf("#%x", sha256.Sum256([]byte(password(user))))
	})
}

// login is what a URL has in front of the host: the service's user and password.
func login() string { return url.UserPassword(service, password(service)).String() + "@" }

// Options are those of a client that may do everything at the server at addr,
// which is one of this package's or a proxy in front of one.
func Options(addr string) *redis.Options {
	return &redis.Options{
		Addr:     addr,
		Username: administrator,
		Password: password(administrator),
		// The test has just killed or is about to start the server: the
		// client's default of five slow dials would only delay the answer.
		DialerRetries: 1,
		// Redis 7.0 answers both with an error.
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// WithRefusals is for a test in which Redis refuses what the service's user
// asks for. Any other test fails if that happens.
func WithRefusals() Option {
	return func(s *spec) { s.refusals = true }
}

// noteRefusals keeps in mind what Redis has refused so far, because its log
// goes with it.
func (i *Instance) noteRefusals() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	entries, err := i.client.Do(ctx, "ACL", "LOG").Slice()
	if err == nil {
		err = i.client.ACLLogReset(ctx).Err()
	}
	if err != nil {
		i.refused = append(i.refused, fmt.Sprintf("nobody knows what: %v", err))
	}
	for _, e := range entries {
		i.refused = append(i.refused, describe(e.(map[any]any)))
	}
}

// describe tells one entry of ACL LOG.
func describe(e map[any]any) string {
	return fmt.Sprintf("%v %v to the user %v (%v)", e["reason"], e["object"], e["username"], e["context"])
}

// checkRefusals fails the test if Redis refused anything that it should not
// have, or nothing where the test was about that.
func (i *Instance) checkRefusals() {
	i.tb.Helper()
	switch {
	case !i.spec.refusals && len(i.refused) > 0:
		i.tb.Errorf("the Redis at %s refused:\n%s", i.Addr(), strings.Join(i.refused, "\n"))
	case i.spec.refusals && len(i.refused) == 0:
		i.tb.Errorf("the Redis at %s refused nothing, though the test is about that", i.Addr())
	}
	i.refused = nil
}
