#!lua flags=no-writes
-- Tells which commands of the ledger this user may not run, so that it is known
-- before a change needs them.
-- It takes no keys, so that it runs on every node of a cluster: nothing is read.
--
-- ARGV -> a key of each kind: of a bucket, of the budgets, and those that the ledger
-- has one of
-- Returns the names of the refused commands, "name key" where it is the key.

local refused = {}
for _, key in ipairs(ARGV) do
  for _, command in ipairs({
    {'hget', key, 'f'}, {'hmget', key, 'f'}, {'hgetall', key}, {'hkeys', key},
    {'hset', key, 'f', 'v'}, {'hsetnx', key, 'f', 'v'}, {'hdel', key, 'f'},
    {'persist', key}, {'pexpire', key, '1'}, {'pttl', key}, {'scan', '0'}, {'set', key, 'v'},
    {'zscore', key, 'm'}, {'zadd', key, '1', 'm'}, {'zrem', key, 'm'}, {'zrange', key, '0', '0'}, {'zscan', key, '0'},
    {'xadd', key, '*', 'f', 'v'}, {'xrange', key, '-', '+'}, {'xrevrange', key, '+', '-'}, {'xread', 'STREAMS', key, '0'}, {'xdel', key, '1-1'}, {'unlink', key},
    {'zremrangebyscore', key, '0', '0'}, {'zremrangebyrank', key, '0', '0'}, {'hincrby', key, 'f', '1'},
    {'evalsha', 'sha', '1', key}, {'eval', 'script', '1', key}, {'wait', '0', '0'}, {'time'}, {'info'}, {'ping'}, {'asking'},
  }) do
    if not redis.acl_check_cmd(unpack(command)) then
      refused[#refused + 1] = command[1] .. ' ' .. key
    end
  end
end
return refused
