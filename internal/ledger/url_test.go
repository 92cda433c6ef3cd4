package ledger

import (
	"reflect"
	"strings"
	"testing"
)

func TestSettings(t *testing.T) {
	for setting, want := range map[string]target{
		"embedded":                            {mode: embedded},
		"redis://localhost":                   {mode: single, addrs: []string{"localhost:6379"}},
		"redis://10.0.0.1:7000/3":             {mode: single, addrs: []string{"10.0.0.1:7000"}, db: 3},
		"redis://10.0.0.1:7000/":              {mode: single, addrs: []string{"10.0.0.1:7000"}},
		"rediss://[::1]:7000":                 {mode: single, tls: true, addrs: []string{"[::1]:7000"}},
		"redis://[::1]":                       {mode: single, addrs: []string{"[::1]:6379"}},
		"redis://:secret@h":                   {mode: single, addrs: []string{"h:6379"}, password: "secret"},
		"redis://us%40er:p%3Aa%2Fs%25@h:1":    {mode: single, addrs: []string{"h:1"}, user: "us@er", password: "p:a/s%"},
		"redis+cluster://a:1,b:2,c":           {mode: cluster, addrs: []string{"a:1", "b:2", "c:6379"}},
		"rediss+cluster://u:p@a:1,b:2":        {mode: cluster, tls: true, addrs: []string{"a:1", "b:2"}, user: "u", password: "p"},
		"redis+sentinel://a,b:1/main":         {mode: sentinel, addrs: []string{"a:26379", "b:1"}, master: "main"},
		"rediss+sentinel://u:p@a:1/my%20main": {mode: sentinel, tls: true, addrs: []string{"a:1"}, user: "u", password: "p", master: "my main"},
		"redis+sentinel://a/main?sentinel_user=su&sentinel_password=sp": {
			mode: sentinel, addrs: []string{"a:26379"}, master: "main", sentinelUser: "su", sentinelPassword: "sp"},
	} {
		got, err := parseURL(setting)
		got.forms, got.defaultPort = "", ""
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v", setting, got, err)
		}
	}
}

func TestSettingsThatAreRefused(t *testing.T) {
	for setting, want := range map[string]string{
		"":                                 `"embedded" or starts with redis://`,
		"localhost:6379":                   `"embedded" or starts with redis://`,
		"http://h:hunter2@localhost":       `"embedded" or starts with redis://`,
		"redis:/hunter2@h":                 `"embedded" or starts with redis://`,
		"redis://":                         "host 1 is not HOST",
		"redis://h:port":                   "the port of host 1 is not between",
		"redis://h:0":                      "the port of host 1 is not between",
		"redis://h:65536":                  "the port of host 1 is not between",
		"redis://h:":                       "the port of host 1 is not between",
		"redis://::1":                      "host 1 is not HOST",
		"redis://a:1,b:2":                  "several hosts; for a cluster write redis+cluster://",
		"redis://h/one":                    "what follows the slash is no number",
		"redis://h/01":                     "what follows the slash is no number",
		"redis://h/-1":                     "what follows the slash is no number",
		"redis://hunter2@h":                "a user without a password; write USER:PASSWORD@",
		"redis://u:@h":                     "a user without a password; write USER:PASSWORD@",
		"redis://u:hunter2%zz@h":           "user and password must be percent-encoded",
		"redis://u:hunter2@hunter2@h":      "user and password must be percent-encoded",
		"redis://u:p@h?db=1":               "unknown parameter; only sentinels",
		"redis://u:hunter2@h?%zz":          "what follows the question mark is no query",
		"redis+cluster://a,b/0":            "a cluster has no numbered databases",
		"redis+cluster://a,,b":             "host 2 is not HOST",
		"redis+sentinel://a,b":             "the name of the master is missing; write /MASTER",
		"redis+sentinel://a,b/":            "the name of the master is missing; write /MASTER",
		"redis+sentinel://a,b/x/y":         "the name of the master is missing; write /MASTER",
		"redis+sentinel://a/m?hunter=hide": "unknown parameter; only sentinels",
		"redis://u:hun/hunter2@h":          "port of host 1",
		"redis://u/hunter2@h":              "what follows the slash",
		"redis://u?hunter2@h":              "unknown parameter",
		"redis://u:a,hunter2:b/@h":         "port of host 1",
		"redis+sentinel://:hunter2@/m":     "host 1 is not HOST",
		"redis+sentinel://u:12/hunter2@h":  "user and password must be percent-encoded",
		"redis+sentinel://u:1/hunter2@h/m": "user and password must be percent-encoded",
		"redis+sentinel://a/hunter2%zz":    "the name of the master must be percent-encoded",
	} {
		err := CheckURL(setting)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", setting, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the password escapes: %v", setting, err)
		}
	}
}
