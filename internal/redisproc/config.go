package redisproc

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/makeamends/amends/deploy"
)

const (
	configFile = "redis.conf"
	usersFile  = "users.acl"
)

// Config says how one process is to run.
type Config struct {
	// Dir is where it works; empty: a directory of its own that goes with it.
	Dir string
	// Settings are directives of redis.conf that differ from those of the
	// deployment, values written as that file wants them; an empty value
	// stands for "".
	Settings map[string]string
	// Sentinel runs a sentinel, which has no settings but these.
	Sentinel bool

	cluster bool // it is part of one
}

// InMemory are the settings of a process that keeps nothing on the disk and takes as
// much memory as it needs.
func InMemory() map[string]string {
	return map[string]string{"appendonly": "no", "maxmemory": "0"}
}

// settings are those of the deployment, but for the place and what a process
// that is killed without warning needs otherwise.
func (c Config) settings() map[string]string {
	s := map[string]string{}
	if !c.Sentinel {
		for line := range strings.Lines(deploy.RedisConf) {
			if k, v, ok := strings.Cut(strings.TrimSpace(line), " "); ok && k != "#" {
				s[k] = v
			}
		}
		s["dir"] = "."
		s["masteruser"] = replicator
		s["masterauth"] = Password(replicator)
		// A rewrite forks a child that would go on writing into the directory
		// after its parent was killed.
		s["auto-aof-rewrite-percentage"] = "0"
		s["repl-diskless-sync-delay"] = "0"
	}
	s["bind"] = "127.0.0.1"
	maps.Copy(s, c.Settings)
	return s
}

// writeConfig puts the configuration into the server's directory. It happens
// once a port: a sentinel keeps its state in that file.
func (s *Server) writeConfig() error {
	settings := s.config.settings()
	settings["port"] = strconv.Itoa(s.port)
	settings["aclfile"] = usersFile
	if s.config.cluster {
		settings["cluster-enabled"] = "yes"
		settings["cluster-port"] = strconv.Itoa(s.busPort)
	}
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(settings)) {
		v := settings[k]
		if v == "" {
			v = `""`
		}
		fmt.Fprintln(&b, k, v)
	}
	known := deploy.RedisUsers
	if s.config.Sentinel {
		known = deploy.SentinelUsers
	}
	if err := os.WriteFile(filepath.Join(s.dir, usersFile), []byte(users(known)), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, configFile), []byte(b.String()), 0o600)
}
