-- Permit one attempt to request the code of a round.
local epoch, session, version, round, nonce = ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]

if not record.session then
  return {'missing', now}
end
if record.leader ~= me or record.epoch ~= epoch or tonumber(record.lease) <= now
  or record.session ~= session or record.stage ~= '0' then
  return {'fenced', now}
end
if record.nonce ~= nonce or record.spent ~= round then
  if record.version ~= version or record.spent + 1 ~= tonumber(round) then
    return {'behind', now}
  end
  change({spent = round, nonce = nonce, lease = whole(now + LEASE)})
end
return {'ok', now, packed()}
