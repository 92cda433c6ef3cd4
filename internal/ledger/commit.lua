#!lua
-- Commits one change of one customer, everything or nothing.
--
-- It must be one script: version, state, answers, indexes and stream are
-- right only together, and nothing may come between the comparison of the
-- version and the writes. It moves bytes; whatever is a number was made and
-- formatted by the caller (counts of arguments are the only ones used here).
--
-- Redis does not roll back, so whatever can be refused comes before what the
-- customer is read from. First come the reads, and for an index, fields to be
-- removed, or how long the customer is kept, the command that is to come in a form
-- that changes nothing: each fails on a key of the wrong type, and for a user who
-- has lost the permission. Then comes what is harmless alone: XADD, which refuses
-- what is no stream, and a stream that somebody else numbered. HSET is the change;
-- nothing after it can be refused.
-- The line #!lua makes Redis refuse the whole script when it is out of memory,
-- read-only, short of replicas or unable to save.
--
-- KEYS[1] -> hash of the customer
-- KEYS[2] -> due index of the bucket (sorted set)
-- KEYS[3] -> event stream of the bucket
-- KEYS[4] -> index of the tenant's open cases in the bucket (sorted set); only
-- when something in it changes
-- ARGV[1] -> version that was loaded or, without one, the tombstone; "" for neither
-- ARGV[2] -> version to write; it ends in a nonce, so no two are the same
-- ARGV[3] -> lifetime in ms from now, "" for no end, "-" for the one it has
-- ARGV[4] -> member of the due index
-- ARGV[5] -> its score, "" for nothing due, "-" for the one it has
-- ARGV[6] -> k: number of requests that are answered
-- ARGV[7] -> n: number of pairs to write
-- ARGV[8] -> m: number of fields to remove
-- ARGV[9] -> o: number of lists of requests to be forgotten
-- ARGV[10] -> p: number of open cases to list
-- ARGV[11] -> q: number of cases to take off that list
-- ARGV[12] -> "1" when the caller has not read the customer but remembers it, ""
-- when it has
-- then n pairs of field and value (version and state first, since the shortest
-- way to a field of a small hash is from its beginning, and then k answers),
-- m fields, o fields that list request hashes of 8 bytes each, one after the
-- other, p pairs of score and member, q members, and one event to the end of
-- the arguments
--
-- The version guards all fields, so an answer to the same request that was
-- written meanwhile shows as another version. Who only remembers the customer
-- does not know the answers that were written before, so they are looked for.
--
-- Returns the version that now stands: ARGV[2] when this change was made, now
-- or by an earlier sending of the same script; another when somebody else's was.
-- Who only remembers gets, instead of another version, what a read would give:
-- the fields v, s and t and those of the requests, so that none is needed.

local customer, due, stream, open = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local requests = tonumber(ARGV[6])
local guess = ARGV[12] == '1'
local pairs_at = 13
local answers_at = pairs_at + 4
local drops_at = pairs_at + 2 * ARGV[7]
local lists_at = drops_at + ARGV[8]
local listed_at = lists_at + ARGV[9]
local unlisted_at = listed_at + 2 * ARGV[10]
local events_at = unlisted_at + ARGV[11]

-- The fields of these names and those of the requests, as they stand.
local function standing(fields)
  for i = answers_at, answers_at + 2 * requests - 2, 2 do
    fields[#fields + 1] = ARGV[i]
  end
  return redis.call('HMGET', customer, unpack(fields))
end

-- Read and check.
local known
local version
if guess then
  known = standing({'v'})
  version = known[1]
else
  version = redis.call('HGET', customer, 'v')
end
version = version or redis.call('HGET', customer, 't') or ''
if version ~= ARGV[1] then
  -- This may be the second sending: then ARGV[2] stands, or, when others have
  -- gone on from it, the answer does, which holds the nonce too.
  -- All of them: attempts of one call may agree on some.
  local ours = 0
  for i = answers_at, answers_at + 2 * requests - 2, 2 do
    if redis.call('HGET', customer, ARGV[i]) == ARGV[i + 1] then
      ours = ours + 1
    end
  end
  if requests > 0 and ours == requests then
    -- Written again, so that a WAIT on this connection has something to wait for.
    redis.call('HSET', customer, ARGV[answers_at], ARGV[answers_at + 1])
    return ARGV[2]
  end
  return guess and standing({'v', 's', 't'}) or version
end
if guess then
  for i = 2, 1 + requests do
    if known[i] then
      return standing({'v', 's', 't'})
    end
  end
end
if ARGV[5] == '' then
  redis.call('ZREM', due, '')
elseif ARGV[5] ~= '-' then
  redis.call('ZADD', due, 'XX', 'GT', '-inf', ARGV[4])
end
if unlisted_at > listed_at then
  redis.call('ZADD', open, 'XX', 'GT', '-inf', '')
end
if events_at > unlisted_at then
  redis.call('ZREM', open, '')
end
if listed_at > drops_at then
  redis.call('HDEL', customer, '')
end
if ARGV[3] == '' then
  redis.call('PERSIST', due) -- the index has no end
elseif ARGV[3] ~= '-' then
  redis.call('PEXPIRE', due, ARGV[3], 'XX')
end
local forget = {}
for i = lists_at, listed_at - 1 do
  local hashes = redis.call('HGET', customer, ARGV[i]) or ''
  for at = 1, #hashes, 8 do
    forget[#forget + 1] = 'r:' .. string.sub(hashes, at, at + 7)
  end
  forget[#forget + 1] = ARGV[i]
end

-- Write. Lists go in slices: Lua unpacks some thousands of values at most.
for i = events_at, #ARGV do
  redis.call('XADD', stream, 'MAXLEN', '~', '10000', '1-*', 'e', ARGV[i])
end
for i = pairs_at, drops_at - 1, 1000 do
  redis.call('HSET', customer, unpack(ARGV, i, math.min(i + 999, drops_at - 1)))
end
if ARGV[3] == '' then
  redis.call('PERSIST', customer)
elseif ARGV[3] ~= '-' then
  redis.call('PEXPIRE', customer, ARGV[3])
end
for i = drops_at, lists_at - 1, 1000 do
  redis.call('HDEL', customer, unpack(ARGV, i, math.min(i + 999, lists_at - 1)))
end
for i = 1, #forget, 1000 do
  redis.call('HDEL', customer, unpack(forget, i, math.min(i + 999, #forget)))
end
if ARGV[5] == '' then
  redis.call('ZREM', due, ARGV[4])
elseif ARGV[5] ~= '-' then
  redis.call('ZADD', due, ARGV[5], ARGV[4])
end
for i = listed_at, unlisted_at - 1, 1000 do
  redis.call('ZADD', open, unpack(ARGV, i, math.min(i + 999, unlisted_at - 1)))
end
for i = unlisted_at, events_at - 1, 1000 do
  redis.call('ZREM', open, unpack(ARGV, i, math.min(i + 999, events_at - 1)))
end
return ARGV[2]
