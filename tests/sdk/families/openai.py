"""OpenAI's other calls: chat, responses, completions, moderations, models and files. Embeddings, which
have switches of their own, are in provider.py, answers.py and faults.py."""

import json

from answers import Answer, error, refusal, to_json
from families.common import CREATED, refuse, sse, streamed, without, words

MODELS = ("text-embedding-3-small", "text-embedding-3-large", "gpt-4o-mini")
BINARY = bytes(range(256)) * 16
DONE = sse("[DONE]")
TOOL = {"place": "Rome", "days": 3}

KINDS = {
    400: "invalid_request_error", 401: "invalid_request_error", 403: "invalid_request_error",
    404: "invalid_request_error", 429: "requests", 500: "server_error", 503: "server_error", 529: "overloaded_error",
}


def say(status):
    return error(f"scripted {status}", kind=KINDS[status], code=f"code_{status}")


def answer(call):
    if call.method == "POST" and call.path in POSTED:
        return POSTED[call.path](call)
    if call.method in ("GET", "HEAD"):
        return _read_only(call)
    if call.method == "OPTIONS":
        return Answer(204, b"", (("allow", "GET, HEAD, POST, OPTIONS"),))
    raise _unknown(call)


def _unknown(call):
    target = f"{call.path}?{call.query}" if call.query else call.path
    return refusal(404, error(f"Invalid URL ({call.method} {target})"))


# --- chat ---


def _chat(call):
    question = call.json
    model = question["model"]
    refuse(call, model, question["messages"], say)
    if question.get("stream"):
        return streamed(model, (*map(sse, _chunks(question)), DONE), sse(say(500)))
    choices = [{"index": index, "message": _chat_message(question, index), "logprobs": None,
                "finish_reason": "tool_calls" if question.get("tools") else "stop"}
               for index in range(question.get("n") or 1)]
    return Answer(200, to_json({"id": "chatcmpl-1", "object": "chat.completion", "created": CREATED, "model": model,
                                "choices": choices, "usage": _chat_usage()}))


def _chat_usage():
    return {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}


def _said(question, index=0):
    return words(without(question, "stream", "stream_options", "user", "metadata"), index)


def _chat_message(question, index):
    if question.get("tools"):
        return {"role": "assistant", "content": None, "tool_calls": [_tool_call(question, json.dumps(TOOL))]}
    return {"role": "assistant", "content": "".join(_said(question, index))}


def _tool_call(question, arguments):
    name = question["tools"][0]["function"]["name"]
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}


def _chunks(question):
    """One for each delta, and one of the usage if it was asked for."""
    counts = (question.get("stream_options") or {}).get("include_usage")
    usage = {"usage": None} if counts else {}
    for delta, finish in _deltas(question):
        yield _chunk(question, [{"index": 0, "delta": delta, "finish_reason": finish}], usage)
    if counts:
        yield _chunk(question, [], {"usage": _chat_usage()})


def _chunk(question, choices, usage):
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": CREATED, "model": question["model"],
            "choices": choices, **usage}


def _deltas(question):
    if question.get("tools"):
        yield {"role": "assistant", "content": None, "tool_calls": [{"index": 0, **_tool_call(question, "")}]}, None
        text = json.dumps(TOOL)
        for start in range(0, len(text), 5):
            yield {"tool_calls": [{"index": 0, "function": {"arguments": text[start : start + 5]}}]}, None
        yield {}, "tool_calls"
        return
    yield {"role": "assistant", "content": ""}, None
    for word in _said(question):
        yield {"content": word}, None
    yield {}, "stop"


# --- completions ---


def _completions(call):
    question = call.json
    model = question["model"]
    refuse(call, model, question["prompt"], say)
    base = {"id": "cmpl-1", "object": "text_completion", "created": CREATED, "model": model}
    said = _said(question)

    def choice(text, finish):
        return {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}

    if question.get("stream"):
        ends = [None] * (len(said) - 1) + ["stop"]
        frames = [sse({**base, "choices": [choice(word, end)]}) for word, end in zip(said, ends)]
        return streamed(model, (*frames, DONE), sse(say(500)))
    return Answer(200, to_json({**base, "choices": [choice("".join(said), "stop")], "usage": _chat_usage()}))


# --- responses ---


def _responses(call):
    question = call.json
    model = question["model"]
    refuse(call, model, question["input"], say)
    item = _function_item(question) if question.get("tools") else _message_item(question)
    if question.get("stream"):
        failure = {"type": "error", "sequence_number": 9, "code": "server_error", "message": "scripted", "param": None}
        events = [{"sequence_number": number, **event} for number, event in enumerate(_events(question, item))]
        return streamed(model, (sse(event, event["type"]) for event in events), sse(failure, "error"))
    return Answer(200, to_json(_response(question, "completed", [item])))


def _message_item(question):
    text = {"type": "output_text", "text": "".join(_said(question)), "annotations": []}
    return {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [text]}


def _function_item(question):
    return {"id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1",
            "name": question["tools"][0]["name"], "arguments": json.dumps(TOOL)}


def _response(question, status, output):
    usage = {"input_tokens": 5, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
             "output_tokens": 6, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 11}
    return {"id": "resp_1", "object": "response", "created_at": CREATED, "status": status, "error": None,
            "incomplete_details": None, "instructions": question.get("instructions"), "metadata": {},
            "model": question["model"], "output": output, "parallel_tool_calls": True,
            "temperature": question.get("temperature"), "tool_choice": "auto", "tools": question.get("tools") or [],
            "top_p": 1.0, "store": question.get("store"), "usage": usage if status == "completed" else None}


def _events(question, item):
    yield {"type": "response.created", "response": _response(question, "in_progress", [])}
    yield {"type": "response.in_progress", "response": _response(question, "in_progress", [])}
    at = {"item_id": item["id"], "output_index": 0}
    emptied = {"arguments": ""} if item["type"] == "function_call" else {"content": []}
    yield {"type": "response.output_item.added", "output_index": 0,
           "item": {**item, "status": "in_progress", **emptied}}
    yield from _argument_events(item, at) if item["type"] == "function_call" else _text_events(item, at)
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": "response.completed", "response": _response(question, "completed", [item])}


def _argument_events(item, at):
    text = item["arguments"]
    for start in range(0, len(text), 5):
        yield {"type": "response.function_call_arguments.delta", **at, "delta": text[start : start + 5]}
    yield {"type": "response.function_call_arguments.done", **at, "name": item["name"], "arguments": text}


def _text_events(item, at):
    at = {**at, "content_index": 0}
    part = item["content"][0]
    yield {"type": "response.content_part.added", **at, "part": {**part, "text": ""}}
    for word in part["text"].split():
        yield {"type": "response.output_text.delta", **at, "delta": word + " ", "logprobs": []}
    yield {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **at, "part": part}


# --- the rest ---


def _moderations(call):
    question = call.json
    asked = question["input"]
    refuse(call, question.get("model", ""), asked, say)
    scores = [int(words(text)[0], 16) / 2**24 for text in (asked if isinstance(asked, list) else [asked])]
    results = [{"flagged": score > 0.5, "categories": {"violence": score > 0.5}, "category_scores": {"violence": score},
                "category_applied_input_types": {"violence": ["text"]}} for score in scores]
    return Answer(200, to_json({"id": "modr-1", "model": question.get("model", "default"), "results": results}))


def _file(call):
    """Knows the upload by its size only: a multipart boundary is drawn anew for each call."""
    return Answer(200, to_json({"id": "file-1", "object": "file", "bytes": len(call.body), "created_at": CREATED,
                                "filename": "upload", "purpose": "batch", "status": "processed"}))


def _read_only(call):
    name = call.path.removeprefix("/v1/models/")
    if call.path == "/v1/models":
        return Answer(200, to_json({"object": "list", "data": [_model(name) for name in MODELS]}))
    if name in MODELS:
        return Answer(200, to_json(_model(name)))
    if name != call.path:
        raise refusal(404, error(f"The model '{name}' does not exist", code="model_not_found"))
    if call.path == "/v1/files/file-1/content":
        return Answer(200, BINARY, (("content-type", "application/octet-stream"),))
    raise _unknown(call)


def _model(name):
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "scripted"}


POSTED = {
    "/v1/chat/completions": _chat,
    "/v1/completions": _completions,
    "/v1/responses": _responses,
    "/v1/moderations": _moderations,
    "/v1/files": _file,
}
