"""Anthropic's Messages, plain and streamed, and the count of tokens; by API key or bearer token."""

import json

from answers import Answer, to_json
from families.common import refuse, refused, sse, streamed, without, words

TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    429: "rate_limit_error", 500: "api_error", 503: "api_error", 529: "overloaded_error",
}


def say(status):
    error = {"type": TYPES[status], "message": f"scripted {TYPES[status]}"}
    return {"type": "error", "error": error, "request_id": "req_scripted"}


def answer(call):
    # The Vercel SDK's paths have no version.
    path = call.path.removeprefix("/v1")
    if call.method != "POST" or path not in ("/messages", "/messages/count_tokens"):
        raise refused(404, say(404))
    if not (call.headers.get("x-api-key") or call.headers.get("authorization", "").startswith("Bearer ")):
        raise refused(401, say(401))
    if "anthropic-version" not in call.headers:
        raise refused(400, say(400))
    question = call.question(say, "model", "messages")
    refuse(call, question["model"], question["messages"], say)
    if path.endswith("/count_tokens"):
        return Answer(200, to_json({"input_tokens": _count(question)}))
    message = _message(question, call.headers)
    if question.get("stream"):
        return streamed(question["model"], _frames(message), sse(say(529), "error"))
    return Answer(200, to_json(message))


def _count(question):
    return len(json.dumps(question["messages"])) // 4


def _message(question, headers):
    said = words(without(question, "stream", "metadata"), headers["anthropic-version"], headers.get("anthropic-beta"))
    content, reason = [{"type": "text", "text": "".join(said)}], "end_turn"
    if question.get("tools"):
        name, place = question["tools"][0]["name"], said[0].strip()
        content.append({"type": "tool_use", "id": "toolu_1", "name": name, "input": {"place": place, "days": 3}})
        reason = "tool_use"
    usage = {"input_tokens": _count(question), "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
             "output_tokens": 6}
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": question["model"], "content": content,
            "stop_reason": reason, "stop_sequence": None, "usage": usage}


def _frames(message):
    start = {**message, "content": [], "stop_reason": None, "usage": {**message["usage"], "output_tokens": 1}}
    yield _event("message_start", message=start)
    for index, block in enumerate(message["content"]):
        empty, deltas = _pieces(block)
        yield _event("content_block_start", index=index, content_block=empty)
        yield _event("ping")
        for delta in deltas:
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield _event("message_delta", delta=ended, usage={"output_tokens": message["usage"]["output_tokens"]})
    yield _event("message_stop")


def _event(kind, **rest):
    return sse({"type": kind, **rest}, kind)


def _pieces(block):
    """A block as it begins, and the deltas that fill it."""
    if block["type"] == "text":
        texts = [word + " " for word in block["text"].split()]
        return {**block, "text": ""}, [{"type": "text_delta", "text": text} for text in texts]
    text = json.dumps(block["input"])
    parts = [text[start : start + 5] for start in range(0, len(text), 5)]
    return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": part} for part in parts]
