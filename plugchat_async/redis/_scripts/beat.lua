-- Be present, and lead if nobody does.
local watchers, limit = tonumber(ARGV[4]), tonumber(ARGV[5])
local known_session, known_version = ARGV[6], ARGV[7]

if not record.session and (known_session ~= '' or watchers == 0) then
  return {'missing', now}
end
local others = present(me)
if limit > 0 and others + watchers > limit then
  return {'full', now}
end
if not record.session then
  begin_session()
end
put({['at:' .. me] = whole(watchers) .. ' ' .. whole(now + PRESENCE)})

local left = tonumber(record.left)
if record.stage == '2' then
  redis.call('PEXPIRE', KEYS[1], whole(record.retention + PRESENCE))
else
  -- Who keeps a session that nobody watches makes way for a process with watchers.
  local is_back = left > 0 and watchers > 0 and record.stage == '0'
  local is_free = record.leader == '' or tonumber(record.lease) <= now
  if is_free or (is_back and record.leader ~= me) then
    change({
      leader = me, epoch = whole(record.epoch + 1), lease = whole(now + LEASE),
      left = is_back and '0' or record.left,
    })
  elseif is_back then
    change({left = '0', lease = whole(now + LEASE)})
  elseif record.leader == me then
    put({lease = whole(now + LEASE)})
  end
  redis.call('PEXPIRE', KEYS[1], LIVE)
end

local news = ''
if record.session ~= known_session or record.version ~= known_version then
  news = packed()
end
return {
  'ok', now, news, record.leader == me and 1 or 0, math.max(0, record.lease - now),
  others + watchers, left > 0 and now - left or -1,
}
