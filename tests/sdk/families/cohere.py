"""Cohere: embed and rerank of versions 1 and 2, chat of version 2, plain and streamed."""

import base64
import json
import struct

from answers import Answer, to_json, tokens
from families.common import floats, refuse, refused, sse, streamed, vector, without, words

TOOL = json.dumps({"place": "Rome", "days": 3})


def say(status):
    return {"id": "err-1", "message": f"scripted {status}"}


def answer(call):
    version, _, name = call.path.removeprefix("/").partition("/")
    if call.method != "POST" or version not in ("v1", "v2") or name not in ANSWERS:
        raise refused(404, say(404))
    question = call.question(say, "model")
    refuse(call, question["model"], question, say)
    return ANSWERS[name](question, version)


def _meta(version, count):
    return {"api_version": {"version": version[1:]}, "billed_units": {"input_tokens": count}}


# --- embed ---


def _embed(question, version):
    texts = question.get("texts") or []
    if len(texts) > 96 or not texts:
        raise refused(400, {"id": "err-1", "message": f"texts must be 1 to 96, not {len(texts)}"})
    reply = {"id": "embed-1", "texts": texts, "meta": _meta(version, sum(map(tokens, texts)))}
    kinds = question.get("embedding_types") or (["float"] if version == "v2" else None)
    asked = [version, without(question, "texts", "embedding_types", "priority")]
    size = question.get("output_dimension") or 8
    if kinds is None:
        embeddings = [floats(asked, size, text) for text in texts]
        return Answer(200, to_json({**reply, "embeddings": embeddings, "response_type": "embeddings_floats"}))
    embeddings = {kind: [_written(kind, asked, size, text) for text in texts] for kind in kinds}
    return Answer(200, to_json({**reply, "embeddings": embeddings, "response_type": "embeddings_by_type"}))


def _written(kind, asked, size, text):
    if kind == "float":
        return floats(asked, size, text)
    components = vector(asked, size, text)
    if kind == "base64":
        return base64.b64encode(struct.pack(f"<{size}f", *components)).decode()
    if kind in ("binary", "ubinary"):
        bits = sum((component > 0) << index for index, component in enumerate(components[:8]))
        return [bits - 128 if kind == "binary" else bits]
    return [int(component * 127) + (128 if kind == "uint8" else 0) for component in components]


# --- rerank ---


def _rerank(question, version):
    documents = question["documents"]
    scores = [int(words(without(question, "documents"), text)[0], 16) / 2**24 for text in documents]
    order = sorted(range(len(documents)), key=lambda index: -scores[index])[: question.get("top_n")]
    results = [{"index": index, "relevance_score": scores[index]} for index in order]
    meta = {"api_version": {"version": version[1:]}, "billed_units": {"search_units": 1}}
    return Answer(200, to_json({"id": "rerank-1", "results": results, "meta": meta}))


# --- chat ---


def _chat(question, _):
    usage = {"billed_units": {"input_tokens": 5, "output_tokens": 6}, "tokens": {"input_tokens": 5, "output_tokens": 6}}
    said = words(without(question, "stream"))
    if question.get("stream"):
        frames = [sse(event, event["type"]) for event in _events(question, said, usage)]
        failure = {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "scripted"}}
        return streamed(question["model"], (*frames, sse("[DONE]")), sse(failure, "message-end"))
    message = {"role": "assistant", "content": [{"type": "text", "text": "".join(said)}]}
    if question.get("tools"):
        message = {"role": "assistant", "tool_plan": "".join(said), "tool_calls": [_tool_call(question, TOOL)]}
    finish = "TOOL_CALL" if question.get("tools") else "COMPLETE"
    return Answer(200, to_json({"id": "chat-1", "finish_reason": finish, "message": message, "usage": usage}))


def _tool_call(question, arguments):
    name = question["tools"][0]["function"]["name"]
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}


def _events(question, said, usage):
    yield {"type": "message-start", "id": "chat-1", "delta": {"message": {"role": "assistant", "content": []}}}
    finish = "TOOL_CALL" if question.get("tools") else "COMPLETE"
    yield from _tool_events(question, said) if question.get("tools") else _text_events(said)
    yield {"type": "message-end", "delta": {"finish_reason": finish, "usage": usage}}


def _text_events(said):
    yield {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}}
    for word in said:
        yield {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": word}}}}
    yield {"type": "content-end", "index": 0}


def _tool_events(question, said):
    for word in said:
        yield {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": word}}}
    yield {"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": _tool_call(question, "")}}}
    for start in range(0, len(TOOL), 5):
        function = {"function": {"arguments": TOOL[start : start + 5]}}
        yield {"type": "tool-call-delta", "index": 0, "delta": {"message": {"tool_calls": function}}}
    yield {"type": "tool-call-end", "index": 0}


ANSWERS = {"embed": _embed, "rerank": _rerank, "chat": _chat}
