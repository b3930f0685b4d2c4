-- Asks for one of COUNT texts after another, as base64: wrk -s post.lua URL -- COUNT
function init(arguments)
  local count = tonumber(arguments[1])
  local headers = { ["content-type"] = "application/json", ["authorization"] = "Bearer bench" }
  requests = {}
  for n = 0, count - 1 do
    local body = string.format(
      '{"model":"text-embedding-3-small","input":"%s","encoding_format":"base64"}', text(n))
    requests[n] = wrk.format("POST", "/v1/embeddings", headers, body)
  end
  total, turn = count, 0
end

-- The same texts as in hit.rs: about 500 bytes each, none like another.
function text(n)
  return string.format("text %d ", n) .. string.rep("lorem ipsum dolor sit amet ", 19)
end

function request()
  turn = (turn + 1) % total
  return requests[turn]
end
