-- Submits the right code of each session, once. The arguments: the key, a file with a session and a
-- code on each line, and `again` where it may start over at the end of the file.
local ffi = require("ffi")
ffi.cdef("int getpid(void); int kill(int, int);")

local head, again
local bodies, number = {}, 0

function init(arguments)
  head = "POST /api/v1/otp/verify HTTP/1.1\r\nHost: " .. wrk.host .. "\r\nAuthorization: Bearer "
    .. arguments[1] .. "\r\nContent-Type: application/json\r\nContent-Length: "
  again = arguments[3] == "again"
  for line in io.lines(arguments[2]) do
    local session, code = line:match("^(%S+) (%S+)$")
    bodies[#bodies + 1] = '{"session_id":"' .. session .. '","code":"' .. code .. '"}'
  end
end

function request()
  number = number + 1
  local body = bodies[number]
  if not body then
    number = 1
    body = bodies[1]
    if not again then
      -- The measurement ends here: SIGINT has wrk stop and tell what it has.
      wrk.thread:stop()
      ffi.C.kill(ffi.C.getpid(), 2)
    end
  end
  return head .. #body .. "\r\n\r\n" .. body
end
