-- Write a code, by who reserved its round, or an ending, by who leads.
local epoch, session, nonce, stage = ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local asked_ago, retention, state, ending = ARGV[8], ARGV[9], ARGV[10], ARGV[11]

if not record.session then
  return {'missing', now}
end
if record.session ~= session then
  return {'fenced', now}
end
if record.stage == stage and record.state == state and record.ending == ending then
  return {'ok', now, packed()}
end
local leads = record.leader == me and record.epoch == epoch
local may_be_ended = record.stage ~= '2' and leads
local may_be_shown = record.stage == '0' and record.nonce == nonce
if stage == '0' and not may_be_shown or stage ~= '0' and not may_be_ended then
  return {'fenced', now}
end
local changes = {
  stage = stage, state = state, ending = ending, retention = retention,
  asked = asked_ago == '' and '0' or whole(now - asked_ago),
}
if stage == '2' then
  changes.leader, changes.lease, changes.left = '', '0', '0'
  redis.call('PEXPIRE', KEYS[1], whole(retention + PRESENCE))
end
change(changes)
return {'ok', now, packed()}
