-- Renews the life of a session that exists.
--
-- ARGV[2]  life in ms, or '' for ever      ARGV[3]  grace in ms
--
-- Returns {1}.
if exists and not isHalf then renew(ARGV[2], ARGV[3]) end
return {1}
