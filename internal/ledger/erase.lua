#!lua
-- Erases one customer, everything or nothing.
--
-- It must be one script: a change that comes between the reading of what is to
-- go and its going would survive in one place and be lost in another. It moves
-- bytes; whatever is a number was made and formatted by the caller (counts of
-- arguments are the only ones used here). As in commit.lua every command that
-- can be refused comes first in a form that changes nothing; but for UNLINK, which
-- is the first write.
--
-- KEYS[1] -> hash of the customer
-- KEYS[2] -> due index of the bucket (sorted set)
-- KEYS[3] -> event stream of the bucket
-- KEYS[4] -> numbers of the events that were erased from it (sorted set)
-- KEYS[5] -> index of the tenant's open cases in the bucket (sorted set)
-- ARGV[1] -> version that was loaded or, without one, the tombstone; "" for neither
-- ARGV[2] -> tombstone to leave, "" for none; ARGV[1] leaves the hash as it is
-- ARGV[3] -> lifetime of the tombstone in ms from now
-- ARGV[4] -> member of the due index
-- ARGV[5] -> number of the newest event that was trimmed, or less: what was erased
-- below it is forgotten, since nobody can read on from there
-- ARGV[6] -> n: number of events to erase
-- then the numbers of n events, and members of the index of open cases to the
-- end of the arguments
--
-- Returns what now stands in place of the version: ARGV[2] when this was done,
-- now or by an earlier sending of the same script; another when somebody
-- changed the customer in between.

local customer, due, stream, erased, open = unpack(KEYS)
local events_at = 7
local open_at = events_at + ARGV[6]

-- Read and check.
local stands = redis.call('HGET', customer, 'v') or redis.call('HGET', customer, 't') or ''
if stands ~= ARGV[1] then
  return stands
end
redis.call('ZREM', due, '')
redis.call('ZREM', open, '')
redis.call('XDEL', stream, '0-1')
redis.call('ZADD', erased, 'XX', 'GT', '-inf', '')
redis.call('ZREMRANGEBYSCORE', erased, '+inf', '-inf')
redis.call('ZREMRANGEBYRANK', erased, '1', '0')
if ARGV[1] ~= ARGV[2] and ARGV[2] ~= '' then -- there is a life, which has a version
  redis.call('HSET', customer, 'v', stands)
  redis.call('PEXPIRE', customer, '0', 'GT')
end

-- Write. The numbers go in slices: Lua unpacks some thousands of values at most.
if ARGV[1] ~= ARGV[2] then
  redis.call('UNLINK', customer)
  if ARGV[2] ~= '' then
    redis.call('HSET', customer, 't', ARGV[2])
    redis.call('PEXPIRE', customer, ARGV[3])
  end
end
redis.call('ZREM', due, ARGV[4])
for i = open_at, #ARGV do
  redis.call('ZREM', open, ARGV[i])
end
for i = events_at, open_at - 1, 1000 do
  local ids, scored = {}, {}
  for j = i, math.min(i + 999, open_at - 1) do
    ids[#ids + 1] = '1-' .. ARGV[j]
    scored[#scored + 1] = ARGV[j]
    scored[#scored + 1] = ARGV[j]
  end
  redis.call('XDEL', stream, unpack(ids))
  redis.call('ZADD', erased, unpack(scored))
end
if open_at > events_at then
  -- As many are known as the stream keeps events.
  redis.call('ZREMRANGEBYSCORE', erased, '-inf', '(' .. ARGV[5])
  redis.call('ZREMRANGEBYRANK', erased, '0', '-10001')
end
return ARGV[2]
