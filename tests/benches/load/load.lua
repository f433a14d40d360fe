local file = io.open("BODY")
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "application/json"
file:close()

local threads = {}
function setup(thread) table.insert(threads, thread) end
function init() failed = 0 end
function response(status, headers, body)
    -- Every answer is looked at: a denial, a fault or a silence would be cheap.
    if status ~= 200 or not string.find(body, '"allowed":true', 1, true) then failed = failed + 1 end
end
function done(summary, latency)
    local failed = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
    for _, thread in ipairs(threads) do failed = failed + thread:get("failed") end
    print("requests=" .. summary.requests)
    print("failed=" .. failed)
    print("p50=" .. math.floor(latency:percentile(50)))
    print("p99=" .. math.floor(latency:percentile(99)))
    print("p999=" .. math.floor(latency:percentile(99.9)))
end
