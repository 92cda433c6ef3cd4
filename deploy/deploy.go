// Package deploy holds the files with which the service and its Redis are run,
// as far as Go tests start something with them.
package deploy

import _ "embed"

// RedisUsers is the ACL file of a Redis server. In place of each password it
// has a word such as #AMENDS_PASSWORD_SHA256, for which # and the SHA-256 of
// the password in hexadecimal has to be put; without that Redis does not start.
//
//go:embed redis/users.acl
var RedisUsers string

// SentinelUsers is the same for a sentinel.
//
//go:embed redis/sentinel-users.acl
var SentinelUsers string

// RedisConf is the configuration of a Redis server.
//
//go:embed redis/redis.conf
var RedisConf string
