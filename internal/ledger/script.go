package ledger

import (
	"context"
	"strings"

	"github.com/redis/go-redis/v9"
)

// script is a Lua script that is sent by its hash once Redis knows it.
type script struct{ source, hash string }

// newScript takes the first line off for miniredis, which does not know it;
// nowhere else: it is what makes a full Redis refuse the script as a whole.
func newScript(source string, forMiniredis bool) *script {
	if forMiniredis {
		source = strings.TrimPrefix(source, "#!lua")
	}
	return &script{source, redis.NewScript(source).Hash()}
}

// run has the script sent, which returns when it is answered. The arguments are
// those of all lists, one after the other. An error of a key names all that it may be.
func (s *script) run(ctx context.Context, send func(redis.Cmder), keys []string, args ...[]any) *redis.Cmd {
	command := newCall(ctx, "evalsha", &s.hash, keys, args)
	send(command)
	if err := command.Err(); err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") {
		command = newCall(ctx, "eval", &s.source, keys, args)
		send(command)
	}
	if err := command.Err(); err != nil {
		command.SetErr(naming("one of "+strings.Join(keys, " "), err))
	}
	return command
}

// newCall makes the command. Texts are given by where they are, which takes no room.
func newCall(ctx context.Context, name string, what *string, keys []string, args [][]any) *redis.Cmd {
	const keysAt = 3
	size := keysAt + len(keys)
	for _, list := range args {
		size += len(list)
	}
	all := append(make([]any, 0, size), name, what, len(keys))
	for i := range keys {
		all = append(all, &keys[i])
	}
	for _, list := range args {
		all = append(all, list...)
	}
	command := redis.NewCmd(ctx, all...)
	command.SetFirstKeyPos(keysAt) // where a cluster looks for the slot
	return command
}

// run runs a script on the server of its keys, together with others if it has
// company.
func (l *Ledger) run(ctx context.Context, s *script, keys []string, args ...[]any) *redis.Cmd {
	return s.run(ctx, func(command redis.Cmder) { l.process(ctx, command) }, keys, args...)
}
