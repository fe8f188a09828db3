-- Asks for a mail to a recipient that nobody mailed to before. The arguments: the key, and the number
-- of the first recipient.
local head, number

function init(arguments)
  head = "POST /api/v1/otp/send HTTP/1.1\r\nHost: " .. wrk.host .. "\r\nAuthorization: Bearer "
    .. arguments[1] .. "\r\nContent-Type: application/json\r\nContent-Length: "
  number = tonumber(arguments[2]) - 1
end

function request()
  number = number + 1
  local network = math.floor(number / 4)
  local body = string.format(
    '{"email":"p%07d@m%02d.example","expires_in":3600,"client_ip":"10.%d.%d.%d"}',
    number, number % 100,
    math.floor(network / 65536) % 256, math.floor(network / 256) % 256, network % 256)
  return head .. #body .. "\r\n\r\n" .. body
end
