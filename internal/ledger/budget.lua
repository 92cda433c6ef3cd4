#!lua
-- Changes what one booking holds of a tenant's budget of one day.
--
-- It must be one script: the total is compared with the limit and raised with
-- nothing in between, and total, booking and index are right only together. As
-- in commit.lua all reads and checks come before the first write, and every
-- change may be sent twice. Total and booking are written by the same command, so
-- that a user who has lost the permission for it writes neither.
--
-- It is the one script that reckons. Lua's numbers are doubles, which hold every
-- integer up to 2^53: the caller keeps each amount and the limit below 2^52, and a
-- total never exceeds a limit and one booking together, so no sum or difference
-- here is rounded. Numbers are written with "%.0f", which gives all digits;
-- tostring would not.
--
-- KEYS[1] -> hash of one tenant's day
-- KEYS[2] -> bookings to be looked at again (sorted set)
-- KEYS[3] -> tenants by their totals of the currency on that day (sorted set)
-- ARGV[1] -> "book", "settle" or "forget"
-- ARGV[2] -> field of the total
-- ARGV[3] -> field of the booking
-- ARGV[4] -> member of the sorted set
-- ARGV[5] -> amount: to book, at most; to be held at most from now on
-- ARGV[6] -> limit of the total, of "book"
-- ARGV[7] -> when to look at the booking again, in ms; "" for never
-- ARGV[8] -> least lifetime of the day in ms from now
-- ARGV[9] -> tenant
-- ARGV[10] -> field of the booking that is to give way, of "book": what it holds at
--   this moment counts as free; what is not in this hash holds nothing
--
-- Returns what the booking holds now.

local today, due, ranks = KEYS[1], KEYS[2], KEYS[3]
local what, total_field, field, member, check = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[7]

local function digits(number)
  return string.format('%.0f', number)
end

-- whole reads digits alone: tonumber takes "nan", which no limit stops, as well. It
-- refuses what HINCRBY does, "007" and what is too large, before anything is written.
local function whole(text)
  if text and not (string.find(text, '^%d+$') and #text <= 16 and digits(tonumber(text)) == text) then
    error('a budget holds what is no amount: ' .. today)
  end
  return text and tonumber(text)
end

-- Read and check.
local total = whole(redis.call('HGET', today, total_field)) or 0
local held = whole(redis.call('HGET', today, field))
local amount, limit, lifetime = whole(ARGV[5]), whole(ARGV[6]), whole(ARGV[8])
local free = whole(redis.call('HGET', today, ARGV[10])) or 0
local left = redis.call('PTTL', today)
redis.call('ZADD', due, 'XX', 'GT', '-inf', member)
redis.call('ZADD', ranks, 'XX', 'GT', '-inf', ARGV[9])
redis.call('PEXPIRE', due, ARGV[8], 'XX') -- the index has no end

-- Write.
local function change(more)
  redis.call('HINCRBY', today, total_field, digits(more))
  redis.call('HINCRBY', today, field, digits(more))
  redis.call('ZADD', ranks, digits(total + more), ARGV[9])
end

local function look_again()
  redis.call('ZADD', due, check, member)
  if left < lifetime then
    redis.call('PEXPIRE', today, ARGV[8])
  end
end

if what == 'book' then
  if held then -- again: an earlier call was not answered, or not heard
    redis.call('ZADD', due, 'XX', 'GT', check, member)
    return held
  end
  local granted = math.min(amount, limit + free - total)
  if granted <= 0 then
    return 0
  end
  change(granted)
  look_again()
  redis.call('PEXPIRE', ranks, ARGV[8])
  return granted
end

if what == 'forget' or not held then
  redis.call('HDEL', today, field)
  redis.call('ZREM', due, member)
  return 0
end
local kept = math.min(amount, held)
if kept < held then
  change(kept - held)
end
if kept == 0 then
  redis.call('HDEL', today, field)
end
if kept == 0 or check == '' then
  redis.call('ZREM', due, member)
else
  look_again()
end
if kept < held then
  redis.call('PEXPIRE', ranks, ARGV[8])
end
return kept
