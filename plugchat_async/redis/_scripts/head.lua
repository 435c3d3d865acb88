-- The record of one instance, a hash. All moments are milliseconds of the server's clock; 0: never.
--   session    when it began, in microseconds    version    counts every change
--   spent      how many rounds are reserved      nonce      of the last reservation
--   stage      0 running, 1 ending, 2 over       left       since when nobody watches
--   leader     the process that polls, or ''     epoch      counts leaders
--   lease      until when it leads               asked      when the current code was requested
--   state      sealed, or '' before the first    ending     sealed while it is reported, or ''
--   retention  how long an ending is kept when nobody watches
--   at:PROCESS "WATCHERS DEADLINE" for each process that follows the session
-- KEYS[1] is the record, ARGV[1] the channel, ARGV[2] the instance's name, ARGV[3] the process.
-- LEASE, PRESENCE and LIVE are milliseconds.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local me = ARGV[3]

local record = {}
local pairs_of_record = redis.call('HGETALL', KEYS[1])
for i = 1, #pairs_of_record, 2 do
  record[pairs_of_record[i]] = pairs_of_record[i + 1]
end

-- Lua writes large numbers with an exponent.
local function whole(number)
  return string.format('%.0f', number)
end

local function put(changes)
  local arguments = {}
  for field, value in pairs(changes) do
    record[field] = value
    table.insert(arguments, field)
    table.insert(arguments, value)
  end
  redis.call('HSET', KEYS[1], unpack(arguments))
end

local function packed()
  return table.concat({
    record.session, record.version, record.spent, record.nonce, record.stage, record.left,
    record.leader, record.epoch, record.asked, record.retention, record.state, record.ending,
  }, ' ')
end

local function change(changes)
  changes.version = whole(record.version + 1)
  put(changes)
  redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' ' .. packed())
end

local function begin_session()
  local session = time[1] * 1000000 + time[2]
  -- A server's clock may have been set back.
  if record.session and tonumber(record.session) >= session then
    session = tonumber(record.session) + 1
  end
  put({
    session = whole(session), version = '0', spent = '0', nonce = '', stage = '0', left = '0',
    leader = '', epoch = record.epoch or '0', lease = '0', asked = '0', retention = '0',
    state = '', ending = '',
  })
end

-- Count watchers and processes, without one process, without those that have not been heard for
-- too long, and without a leader whose lease ran out.
local function present(except)
  local watchers, processes = 0, 0
  for field, value in pairs(record) do
    local process = string.match(field, '^at:(.+)$')
    if process then
      local count, deadline = string.match(value, '^(%d+) (%d+)$')
      if tonumber(deadline) <= now then
        redis.call('HDEL', KEYS[1], field)
      elseif process ~= except
        and (process ~= record.leader or tonumber(record.lease) > now) then
        watchers, processes = watchers + count, processes + 1
      end
    end
  end
  return watchers, processes
end
