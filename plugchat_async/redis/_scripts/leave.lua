-- Go, unless this is the last process of a session that is not over: then lead it on, without
-- watchers, or begin to report its ending. Who reports an ending stays until that is done.
local ending = ARGV[4]

if not record.session then
  return {'missing', now}
end
local leads = record.leader == me
local _, processes = present(me)
if leads and ending ~= '' and record.ending == ending then
  return {'ok', now, packed()}
end
local reports = leads and record.stage == '1'
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
