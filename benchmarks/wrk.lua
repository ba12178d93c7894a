-- wrk's script: one POST body from the file $WRK_BODY, more headers from $WRK_HEADERS (lines "name: value"), JSON at the end
local file = assert(io.open(os.getenv("WRK_BODY"), "r"))
wrk.method = "POST"
wrk.body = file:read("*a")
file:close()
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer sk-1234"
for name, value in string.gmatch(os.getenv("WRK_HEADERS") or "", "([^:\n]+): *([^\n]+)") do
  wrk.headers[name] = value
end

done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('\nJSON {"requests":%d,"duration_us":%d,"bad":%d,"broken":%d}\n', summary.requests,
    summary.duration, errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
