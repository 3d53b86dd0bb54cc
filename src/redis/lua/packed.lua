-- Begins a script with more arguments than a service allows in one command: it packs them into two.
--
-- ARGV[1]  the lengths of all arguments, with commas between      ARGV[2]  their bytes, one after the other
local arguments, at = {}, 1
for length in string.gmatch(ARGV[1], '%d+') do
  arguments[#arguments + 1] = string.sub(ARGV[2], at, at + length - 1)
  at = at + length
end
local ARGV = arguments
