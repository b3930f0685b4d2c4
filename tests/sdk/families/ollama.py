"""Ollama's own calls. Chat and generate stream unless told not to, as lines of JSON."""

from answers import Answer, to_json, tokens
from families.common import floats, lines, refuse, refused, streamed, without, words

TIMES = {"total_duration": 5_000_000, "load_duration": 1_000_000}
WHEN = "2026-01-02T03:04:05.678901Z"
LINES = "application/x-ndjson"


def say(status):
    return {"error": f"scripted {status}"}


def answer(call):
    if call.path == "/api/tags" and call.method in ("GET", "HEAD"):
        return Answer(200, to_json({"models": [_model("all-minilm:latest"), _model("llama3.2:latest")]}))
    if call.method != "POST" or call.path not in ANSWERS:
        raise refused(404, say(404))
    question = call.question(say, "model")
    refuse(call, question["model"], question, say)
    return ANSWERS[call.path](question)


def _model(name):
    details = {"parent_model": "", "format": "gguf", "family": "scripted", "families": ["scripted"],
               "parameter_size": "23M", "quantization_level": "F16"}
    return {"name": name, "model": name, "modified_at": WHEN, "size": 45960996, "digest": "1b226e2802db",
            "details": details}


# --- embeddings ---


def _embed(question):
    texts = question.get("input", [])
    texts = texts if isinstance(texts, list) else [texts] if texts else []
    if not all(isinstance(text, str) for text in texts):
        raise refused(400, {"error": "invalid input type"})
    asked = ["embed", without({"truncate": True, **without(question)}, "input", "keep_alive")]
    vectors = [floats(asked, question.get("dimensions") or 8, text) for text in texts]
    return Answer(200, to_json({"model": question["model"], "embeddings": vectors, **TIMES,
                                "prompt_eval_count": sum(map(tokens, texts))}))


def _embeddings(question):
    """Not normalized, unlike the newer call: other vectors."""
    text = question.get("prompt", "")
    asked = ["embeddings", without(question, "prompt", "keep_alive")]
    return Answer(200, to_json({"embedding": floats(asked, 8, text) if text else []}))


# --- text ---


def _said(question):
    return words(without(question, "stream", "keep_alive"))


def _counts():
    return {**TIMES, "prompt_eval_count": 5, "prompt_eval_duration": 1, "eval_count": 6, "eval_duration": 2}


def _chat(question):
    call = {"function": {"name": "", "arguments": {"place": "Rome", "days": 3}}}
    calls = [{"function": {**call["function"], "name": tool["function"]["name"]}}
             for tool in question.get("tools") or []][:1]

    def part(text, **more):
        return {"message": {"role": "assistant", "content": text, **more}}

    return _told(question, part, {"tool_calls": calls} if calls else {})


def _generate(question):
    return _told(question, lambda text, **more: {"response": text, **more}, {"context": [1, 2, 3]})


def _told(question, part, more):
    """The whole answer, or its parts: `part(text, **more)` is what one holds, the last one has more."""
    base = {"model": question["model"], "created_at": WHEN}
    ended = {"done": True, "done_reason": "stop", **_counts()}
    said = _said(question)
    if question.get("stream", True) is False:
        return Answer(200, to_json({**base, **part("".join(said), **more), **ended}))
    parts = [{**base, **part(word), "done": False} for word in said]
    parts.append({**base, **part("", **more), **ended})
    return streamed(question["model"], lines(parts), lines([say(500)])[0], LINES)


ANSWERS = {
    "/api/embed": _embed,
    "/api/embeddings": _embeddings,
    "/api/chat": _chat,
    "/api/generate": _generate,
}
