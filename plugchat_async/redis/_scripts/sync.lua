-- Write a process's copy of what the server lost: all of it, or the latest changes in a fail-over.
local session, version, spent, nonce = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local stage, left_ago, leader, epoch = ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local asked_ago, retention, state, ending = ARGV[12], ARGV[13], ARGV[14], ARGV[15]

local function moment(ago)
  return ago == '' and '0' or whole(now - ago)
end

if not record.session then
  put({leader = leader, epoch = epoch, lease = leader ~= '' and whole(now + LEASE) or '0'})
elseif record.session == session then
  if record.stage == '2' or tonumber(version) <= tonumber(record.version)
    or tonumber(spent) < tonumber(record.spent)
    or (spent == record.spent and nonce ~= record.nonce) then
    return {'behind', now}
  end
elseif tonumber(session) < tonumber(record.session) then
  return {'behind', now}
end
put({session = session, version = version})
if stage == '2' then
  put({leader = '', lease = '0'})
end
change({
  spent = spent, nonce = nonce, stage = stage, left = moment(left_ago), asked = moment(asked_ago),
  retention = retention, state = state, ending = ending,
})
redis.call('PEXPIRE', KEYS[1], stage == '2' and whole(retention + PRESENCE) or LIVE)
return {'ok', now, packed()}
