package redisproc

import (
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

// The users of deploy/redis/users.acl.
const (
	Service       = "amends"   // what a URL names
	administrator = "admin"    // what a Client is
	replicator    = "replica"  // a replica at its master
	Observer      = "sentinel" // a sentinel at the servers
)

// secret makes the passwords of all servers of this process.
var secret = rand.Text()

// Password is that of a user at every server of this process.
func Password(user string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(user+secret)))
}

var placeholder = regexp.MustCompile(`#([A-Z]+)_PASSWORD_SHA256`)

// users is an ACL file of the deployment with the passwords of this process.
func users(file string) string {
	return placeholder.ReplaceAllStringFunc(file, func(found string) string {
		user := strings.ToLower(placeholder.FindStringSubmatch(found)[1])
		return fmt.Sprintf("#%x", sha256.Sum256([]byte(Password(user))))
	})
}

// Login is what a URL has in front of the host: the service's user and password.
func Login() string { return login(Service) }

func login(user string) string { return url.UserPassword(user, Password(user)).String() + "@" }

// Options are those of a client that may do everything at the server at addr,
// which is one of this process or a proxy in front of one.
func Options(addr string) *redis.Options {
	return &redis.Options{
		Addr:     addr,
		Username: administrator,
		Password: Password(administrator),
		// The server has just been killed or is about to start: the client's
		// default of five slow dials would only delay the answer.
		DialerRetries: 1,
		// Redis 7.0 answers both with an error.
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// ClusterOptions are those of a client that may do everything in the cluster
// of which the servers at addrs are part.
func ClusterOptions(addrs []string) *redis.ClusterOptions {
	one := Options("")
	return &redis.ClusterOptions{
		Addrs:                    addrs,
		Username:                 one.Username,
		Password:                 one.Password,
		DialerRetries:            one.DialerRetries,
		DisableIdentity:          one.DisableIdentity,
		MaintNotificationsConfig: one.MaintNotificationsConfig,
		// A master that was lost is not asked for long.
		ClusterStateReloadInterval: time.Second,
	}
}
