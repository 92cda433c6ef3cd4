#!lua
-- Takes an entry out of an index, provided that the customer is as it was when
-- somebody found that the entry speaks of nothing.
--
-- It must be a script: a change may come between the look and the removal, and
-- the entry may be right again.
--
-- KEYS[1] -> hash of the customer
-- KEYS[2] -> index (sorted set)
-- ARGV[1] -> version that was looked at, "" for none
-- ARGV[2] -> member of the index
--
-- Returns how many entries were removed, 0 or 1.

if (redis.call('HGET', KEYS[1], 'v') or '') ~= ARGV[1] then
  return 0
end
return redis.call('ZREM', KEYS[2], ARGV[2])
