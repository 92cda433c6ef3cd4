package ledger

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// mode is how the Redis processes work together.
type mode uint8

const (
	embedded mode = iota + 1
	single
	cluster
	sentinel
)

// target is a parsed setting.
type target struct {
	mode               mode
	tls                bool
	addrs              []string // HOST:PORT; of the sentinels with sentinel
	user, password     string
	sentinelUser       string
	sentinelPassword   string
	db                 int
	master             string // name that the sentinels know it by
	forms, defaultPort string // of the scheme, for messages
}

// Embedded is the setting that keeps the ledger in the process itself.
const Embedded = "embedded"

var schemes = map[string]target{
	"redis":           {mode: single, defaultPort: "6379", forms: "redis://[USER:PASSWORD@]HOST[:PORT][/DB]"},
	"rediss":          {mode: single, tls: true, defaultPort: "6379", forms: "rediss://[USER:PASSWORD@]HOST[:PORT][/DB]"},
	"redis+cluster":   {mode: cluster, defaultPort: "6379", forms: "redis+cluster://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT],..."},
	"rediss+cluster":  {mode: cluster, tls: true, defaultPort: "6379", forms: "rediss+cluster://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT],..."},
	"redis+sentinel":  {mode: sentinel, defaultPort: "26379", forms: "redis+sentinel://[USER:PASSWORD@]HOST[:PORT],.../MASTER"},
	"rediss+sentinel": {mode: sentinel, tls: true, defaultPort: "26379", forms: "rediss+sentinel://[USER:PASSWORD@]HOST[:PORT],.../MASTER"},
}

// CheckURL reports what is wrong with a setting of Options.URL, without any
// secret in the message.
func CheckURL(setting string) error {
	_, err := parseURL(setting)
	return err
}

// parseURL reads the setting:
//
//	embedded
//	redis://[USER:PASSWORD@]HOST[:PORT][/DB]                 one server; rediss:// with TLS
//	redis+cluster://[USER:PASSWORD@]HOST[:PORT],...          a cluster; rediss+cluster://
//	redis+sentinel://[USER:PASSWORD@]HOST[:PORT],.../MASTER  behind sentinels; rediss+sentinel://
//
// USER and PASSWORD are percent-encoded and are those of the Redis servers;
// sentinels that want a login of their own get it from ?sentinel_user= and
// ?sentinel_password=. Nothing else is accepted, and no message holds a password.
func parseURL(setting string) (target, error) {
	if setting == Embedded {
		return target{mode: embedded}, nil
	}
	scheme, rest, ok := strings.Cut(setting, "://")
	t, known := schemes[scheme]
	if !ok || !known {
		return target{}, errors.New(`the address of Redis is "embedded" or starts with redis://, rediss://, ` +
			`redis+cluster://, rediss+cluster://, redis+sentinel:// or rediss+sentinel://`)
	}
	if err := t.parse(rest); err != nil {
		return target{}, fmt.Errorf("the address of Redis is not %s: %w", t.forms, err)
	}
	return t, nil
}

// parse reads what follows the scheme. Package net/url cannot: it takes one
// host alone, and its errors quote the password.
func (t *target) parse(rest string) error {
	rest, query, _ := strings.Cut(rest, "?")
	hosts, path, hasPath := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(hosts, '@'); i >= 0 {
		if err := t.parseLogin(hosts[:i]); err != nil {
			return err
		}
		hosts = hosts[i+1:]
	}
	if err := t.parseHosts(hosts); err != nil {
		return err
	}
	if err := t.parsePath(path, hasPath); err != nil {
		return err
	}
	return t.parseQuery(query)
}

var errNotEncoded = errors.New("user and password must be percent-encoded")

func (t *target) parseLogin(login string) error {
	user, password, ok := strings.Cut(login, ":")
	var err1, err2 error
	t.user, err1 = url.PathUnescape(user)
	t.password, err2 = url.PathUnescape(password)
	switch {
	case err1 != nil || err2 != nil || strings.ContainsAny(login, "@ "):
		return errNotEncoded
	case !ok || password == "":
		return errors.New("a user without a password; write USER:PASSWORD@, or :PASSWORD@ for the default user")
	}
	return nil
}

// parseHosts quotes nothing of what it refuses: with a password that is not
// percent-encoded, a part of it may stand where a host is expected. The same
// goes for the path and the query.
func (t *target) parseHosts(hosts string) error {
	for i, h := range strings.Split(hosts, ",") {
		host, port, err := net.SplitHostPort(h)
		if err != nil { // no port
			host, port = h, t.defaultPort
			if bare, ok := strings.CutPrefix(h, "["); ok {
				host = strings.TrimSuffix(bare, "]")
			} else if strings.Contains(h, ":") {
				host = ""
			}
		}
		n, err := strconv.Atoi(port)
		switch {
		case host == "" || strings.ContainsAny(host, " []") || strings.Contains(host, ":") && net.ParseIP(host) == nil:
			return fmt.Errorf("host %d is not HOST, HOST:PORT or [IPv6]:PORT", i+1)
		case err != nil || n < 1 || n > 65535:
			return fmt.Errorf("the port of host %d is not between 1 and 65535", i+1)
		}
		t.addrs = append(t.addrs, net.JoinHostPort(host, port))
	}
	if t.mode == single && len(t.addrs) > 1 {
		return errors.New("several hosts; for a cluster write redis+cluster://")
	}
	return nil
}

func (t *target) parsePath(path string, has bool) (err error) {
	switch {
	case t.mode == sentinel && strings.Contains(path, "@"): // behind the slash of a password
		return errNotEncoded
	case t.mode == sentinel && (path == "" || strings.Contains(path, "/")):
		return errors.New("the name of the master is missing; write /MASTER at the end, as `SENTINEL MASTERS` names it")
	case t.mode == sentinel:
		if t.master, err = url.PathUnescape(path); err != nil {
			return errors.New("the name of the master must be percent-encoded")
		}
	case t.mode == cluster && has:
		return errors.New("a cluster has no numbered databases; leave the path out")
	case has && path != "":
		t.db, err = strconv.Atoi(path)
		if err != nil || t.db < 0 || strconv.Itoa(t.db) != path {
			return errors.New("what follows the slash is no number of a database")
		}
	}
	return nil
}

func (t *target) parseQuery(query string) error {
	if query == "" {
		return nil
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("what follows the question mark is no query")
	}
	if t.mode == sentinel {
		t.sentinelUser, t.sentinelPassword = values.Get("sentinel_user"), values.Get("sentinel_password")
		values.Del("sentinel_user")
		values.Del("sentinel_password")
	}
	if len(values) > 0 {
		return errors.New("unknown parameter; only sentinels take any: sentinel_user and sentinel_password")
	}
	return nil
}
