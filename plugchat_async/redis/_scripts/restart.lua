-- Begin a new session after one that is over, or forget that one if nobody watches.
local session = ARGV[4]

if not record.session then
  return {'missing', now}
end
if record.session ~= session or record.stage ~= '2' then
  return {'running', now}
end
if present('') == 0 then
  redis.call('DEL', KEYS[1])
  return {'gone', now}
end
begin_session()
change({})
redis.call('PEXPIRE', KEYS[1], LIVE)
return {'ok', now, packed()}
