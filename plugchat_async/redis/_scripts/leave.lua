-- Go, unless this is the last process of a session that is not over: then lead it on, without
-- watchers, or begin to report its ending. Who reports an ending stays until that is done.
-- Those present may have died: who says when it first asked waits, and does not count itself, until
-- another one is heard to lead since, or none has led for a lease. Who does not say it goes only if
-- another one leads: a process with watchers takes over what is led on.
local ending, asked_ago = ARGV[4], tonumber(ARGV[5])

if not record.session then
  return {'missing', now}
end
local leads = record.leader == me
if leads and ending ~= '' and record.ending == ending then
  return {'ok', now, packed()}
end
if record.stage == '2' then
  redis.call('HDEL', KEYS[1], 'at:' .. me)
  local _, processes = present(me)
  if processes == 0 then
    redis.call('PEXPIRE', KEYS[1], record.retention)
  end
  return {'gone', now}
end
local is_led = not leads and tonumber(record.lease) > now
local is_heard = is_led and not (asked_ago and record.lease - LEASE <= now - asked_ago)
local _, processes = present(me)
local others_may_lead = asked_ago and asked_ago < LEASE and processes > 0
if is_led or others_may_lead and not (leads and record.stage == '1') then
  redis.call('HDEL', KEYS[1], 'at:' .. me)
  if leads then
    change({leader = '', lease = '0'})
  end
  return is_heard and {'gone', now} or {'wait', now, packed()}
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
