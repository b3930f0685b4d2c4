"""Mistral: chat, plain and streamed, and embeddings. Its SDK takes no embeddings without an `id`."""

import json

from answers import Answer, to_json, tokens
from families.common import CREATED, floats, refuse, refused, sse, streamed, without, words

TOOL = json.dumps({"place": "Rome", "days": 3})
USAGE = {"prompt_tokens": 5, "completion_tokens": 6, "total_tokens": 11}


def say(status):
    return {"object": "error", "message": f"scripted {status}", "type": "invalid_request_error", "param": None,
            "code": "3210" if status == 400 else None}


def answer(call):
    if call.method != "POST" or call.path not in ANSWERS:
        raise refused(404, say(404))
    question = call.question(say, "model")
    refuse(call, question["model"], question, say)
    return ANSWERS[call.path](question)


def _embeddings(question):
    texts = question["input"] if isinstance(question["input"], list) else [question["input"]]
    asked = without(question, "input", "metadata", "encoding_format")
    size = question.get("output_dimension") or 8
    data = [{"object": "embedding", "index": index, "embedding": floats(asked, size, text)}
            for index, text in enumerate(texts)]
    count = sum(map(tokens, texts))
    usage = {"prompt_tokens": count, "completion_tokens": 0, "total_tokens": count}
    return Answer(200, to_json({"id": "embd-1", "object": "list", "data": data, "model": question["model"],
                                "usage": usage}))


def _chat(question):
    model = question["model"]
    if question.get("stream"):
        return streamed(model, (*map(sse, _chunks(question)), sse("[DONE]")), sse(say(500)))
    choice = {"index": 0, "message": _message(question), "finish_reason": _finish(question)}
    return Answer(200, to_json({"id": "cmpl-1", "object": "chat.completion", "created": CREATED, "model": model,
                                "choices": [choice], "usage": USAGE}))


def _finish(question):
    return "tool_calls" if question.get("tools") else "stop"


def _said(question):
    return words(without(question, "stream", "metadata"))


def _message(question):
    if question.get("tools"):
        return {"role": "assistant", "content": "", "tool_calls": _tool_calls(question)}
    return {"role": "assistant", "content": "".join(_said(question)), "tool_calls": None}


def _tool_calls(question):
    name = question["tools"][0]["function"]["name"]
    return [{"id": "call_1", "type": "function", "function": {"name": name, "arguments": TOOL}, "index": 0}]


def _chunks(question):
    deltas = [{"role": "assistant", "content": ""}, *({"content": word} for word in _said(question))]
    last = {"content": "", "tool_calls": _tool_calls(question)} if question.get("tools") else {"content": ""}
    for delta in deltas:
        yield _chunk(question, delta, None)
    yield {**_chunk(question, last, _finish(question)), "usage": USAGE}


def _chunk(question, delta, finish):
    return {"id": "cmpl-1", "object": "chat.completion.chunk", "created": CREATED, "model": question["model"],
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


ANSWERS = {"/v1/embeddings": _embeddings, "/v1/chat/completions": _chat}
