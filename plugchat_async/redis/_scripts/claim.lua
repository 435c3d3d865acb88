-- Agree on one secret: the first process writes its fingerprint, each later one has to know it.
-- KEYS[1] is the fingerprint's key, ARGV[1] its expiry, and what follows a process's own.
local held = redis.call('GET', KEYS[1])
for i = 2, #ARGV do
  if not held or held == ARGV[i] then
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[1])
    return 1
  end
end
return 0
