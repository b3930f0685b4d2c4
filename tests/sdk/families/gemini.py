"""Gemini, versions v1 and v1beta: embedContent, batchEmbedContents, generateContent and its stream. A
stream ends with the body; there is no end marker."""

import re

from answers import Answer, to_json
from families.common import floats, refuse, refused, seed, sse, streamed, without, words

PATH = re.compile(r"/(v1|v1beta)/models/([^/:]+):(\w+)")
STATUSES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 529: "UNAVAILABLE",
}
MAX_REQUESTS = 100


def say(status, message=None):
    return {"error": {"code": status, "message": message or f"scripted {status}", "status": STATUSES[status]}}


def answer(call):
    found = PATH.fullmatch(call.path)
    if call.method != "POST" or not found or found[3] not in ANSWERS:
        raise refused(404, say(404))
    version, model, method = found.groups()
    question = call.question(say)
    refuse(call, model, question, say)
    return ANSWERS[method](question, version, model)


# --- embeddings ---


def _embedding(asked, version, model):
    """One content, of however many parts, is one vector."""
    if not all(part.get("text") for part in asked["content"]["parts"]):
        raise refused(400, say(400, "* EmbedContentRequest.content contains an empty Part.\n"))
    options = without(asked, "content", "model")
    text = seed(asked["content"])
    return {"values": floats([version, model, options], options.get("outputDimensionality", 8), text)}


def _embed_one(question, version, model):
    return Answer(200, to_json({"embedding": _embedding(question, version, model)}))


def _embed_many(question, version, model):
    asked = question["requests"]
    if len(asked) > MAX_REQUESTS:
        message = f"* BatchEmbedContentsRequest.requests: at most {MAX_REQUESTS} requests can be in one batch\n"
        raise refused(400, say(400, message))
    return Answer(200, to_json({"embeddings": [_embedding(one, version, model) for one in asked]}))


# --- content ---


def _generate(question, version, model):
    said = words(version, model, question)
    return Answer(200, to_json(_reply(model, _parts(question, "".join(said)), last=True)))


def _generate_stream(question, version, model):
    said = words(version, model, question)
    replies = [_reply(model, [{"text": word}], last=False) for word in said]
    replies.append(_reply(model, _parts(question, ""), last=True))
    return streamed(model, map(sse, replies), sse(say(503)))


def _parts(question, text):
    parts = [{"text": text}]
    if question.get("tools"):
        tool = question["tools"][0]
        name = (tool.get("functionDeclarations") or tool["function_declarations"])[0]["name"]  # LiteLLM's spelling
        parts.append({"functionCall": {"name": name, "args": {"place": "Rome", "days": 3}}})
    return parts


def _reply(model, parts, last):
    usage = {"promptTokenCount": 5, "candidatesTokenCount": 6, "totalTokenCount": 11}
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0}
    ended = {"finishReason": "STOP"} if last else {}
    return {"candidates": [{**candidate, **ended}], "usageMetadata": usage, "modelVersion": model,
            "responseId": "resp-1"}


ANSWERS = {
    "embedContent": _embed_one,
    "batchEmbedContents": _embed_many,
    "generateContent": _generate,
    "streamGenerateContent": _generate_stream,
}
