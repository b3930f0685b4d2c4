-- Asks for COUNT texts, one request after another: wrk -s post.lua URL -- COUNT [ENCODING [INPUTS]]
function init(arguments)
  local count = tonumber(arguments[1])
  local encoding = arguments[2] or "base64"
  local inputs = tonumber(arguments[3] or "1")
  local headers = { ["content-type"] = "application/json", ["authorization"] = "Bearer bench" }
  function make(n)
    local body = string.format(
      '{"model":"text-embedding-3-small","input":%s,"encoding_format":"%s"}', input(n, inputs), encoding)
    return wrk.format("POST", "/v1/embeddings", headers, body)
  end
  total, turn = count / inputs, 0
  requests = {}
  -- More than these do not fit into Lua's memory, and are made as they are asked for.
  if total <= 20000 then
    for n = 0, total - 1 do requests[n] = make(n) end
  end
end

-- The same texts as in rulers/mod.rs: about 500 bytes each, none like another.
function text(n)
  return string.format('"text %d ', n) .. string.rep("lorem ipsum dolor sit amet ", 19) .. '"'
end

function input(n, inputs)
  if inputs == 1 then return text(n) end
  local texts = {}
  for at = 0, inputs - 1 do texts[at + 1] = text(n * inputs + at) end
  return "[" .. table.concat(texts, ",") .. "]"
end

function request()
  -- A stride that no power of two or ten shares a factor with: neighbours are not asked for in a row.
  turn = (turn + 7919) % total
  return requests[turn] or make(turn)
end
