-- Go, unless this is the last process of a session that is not over: then lead it on, without
-- watchers, or begin to report its ending. Who reports an ending stays until that is done.
-- Those present may have died: who says when it first asked waits until another one leads since.
local ending, asked_ago = ARGV[4], tonumber(ARGV[5])

if not record.session then
  return {'missing', now}
end
local leads = record.leader == me
-- Since nobody watches, a process that watches would have made this one give way.
local _, processes = present(me, leads and tonumber(record.left) or 0)
if leads and ending ~= '' and record.ending == ending then
  return {'ok', now, packed()}
end
local reports = leads and record.stage == '1'
if asked_ago and record.stage ~= '2' and processes > 0 and not reports then
  local is_led = not leads and tonumber(record.lease) > now
  local is_heard = is_led and record.lease - LEASE > now - asked_ago
  if is_led and not is_heard or not is_led and asked_ago < LEASE then
    put({['at:' .. me] = '0 ' .. whole(now + PRESENCE)})
    if leads then
      change({leader = '', lease = '0'})
    end
    return {'wait', now, packed()}
  end
  -- For the time of a lease, nobody has led.
  processes = is_led and processes or 0
end
if record.stage == '2' or processes > 0 and not reports then
  redis.call('HDEL', KEYS[1], 'at:' .. me)
  if record.stage == '2' and processes == 0 then
    redis.call('PEXPIRE', KEYS[1], record.retention)
  elseif leads then
    change({leader = '', lease = '0'})
  end
  return {'gone', now}
end
put({['at:' .. me] = '0 ' .. whole(now + PRESENCE)})
local ends = ending ~= '' and record.stage == '0'
change({
  leader = me, epoch = leads and record.epoch or whole(record.epoch + 1),
  lease = whole(now + LEASE), left = record.left ~= '0' and record.left or whole(now),
  stage = ends and '1' or record.stage, ending = ends and ending or record.ending,
})
redis.call('PEXPIRE', KEYS[1], LIVE)
return {'ok', now, packed()}
