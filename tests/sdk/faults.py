"""What the scripted provider does for model names that ask for trouble.

Each model name is one line in a table: it alters the reply's value, or its HTTP form, or it is a
refusal. The numbers are the cases of providers.md section 13.
"""

import dataclasses
import math
import re
import struct

import answers
import codings
from answers import Answer, error, refusal, to_json

JSON = ("content-type", "application/json")

# --- the reply's value: (reply, question) -> reply ---


def _vectors(reply, alter):
    """Alters the first vector."""
    first, *rest = reply["data"]
    return {**reply, "data": [{**first, "embedding": alter(first["embedding"])}, *rest]}


def _floats(reply, question):
    return answers.reply(dataclasses.replace(question, encoding="float"))


def _nan(reply, question):
    nan = struct.unpack("<f", b"\0\0\xc0\x7f")[0]
    components = (nan, *answers.vector(question.model, question.dimensions, question.items[0])[1:])
    written = answers.packed(components) if question.encoding == "base64" else list(components)
    return _vectors(reply, lambda _: written)


def _shorter(reply, question):
    components = answers.vector(question.model, question.dimensions, question.items[0])[:-1]
    base64 = question.encoding == "base64"
    return _vectors(reply, lambda _: answers.packed(components) if base64 else list(components))


def _printed(alter):
    """Number text other than the shortest of a 32-bit float."""

    def reshape(reply, question):
        if question.encoding == "base64":
            return reply
        data = [
            {**item, "embedding": list(map(alter, answers.vector(question.model, question.dimensions, text)))}
            for item, text in zip(reply["data"], question.items)
        ]
        return {**reply, "data": data}

    return reshape


RESHAPE = {
    "fault-ignores-base64": _floats,  # 36
    "fault-reordered": lambda reply, _: {**reply, "data": reply["data"][::-1]},  # 37
    "fault-fewer": lambda reply, _: {**reply, "data": reply["data"][: max(1, len(reply["data"]) - 1)]},  # 38
    "fault-null": lambda reply, q: _vectors(_floats(reply, q), lambda numbers: [None, *numbers[1:]]),  # 39
    "fault-nan": _nan,  # 39
    "fault-other-length": _shorter,  # 40
    "fault-no-usage": lambda reply, _: {k: v for k, v in reply.items() if k != "usage"},  # 41
    "fault-extra-fields": lambda reply, _: {"id": "embd-1", "created": 1_700_000_000, **reply},  # 42
    "fault-no-data": lambda reply, _: {**reply, "data": []},
    "prints-widened": _printed(float),
    "prints-doubles": _printed(lambda component: component * (1 + math.pi * 1e-12)),
}

# --- the reply's HTTP form: Answer -> Answer ---


def _typed(*headers, body=None):
    def rewrap(answer):
        return dataclasses.replace(answer, headers=headers, body=answer.body if body is None else body)

    return rewrap


def _framed(framing):
    return lambda answer: dataclasses.replace(answer, framing=framing)


def _coded(coding):
    def rewrap(answer):
        headers = (*answer.headers, ("content-encoding", coding))
        return dataclasses.replace(answer, headers=headers, body=codings.ENCODE[coding](answer.body))

    return rewrap


HTML = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>\r\n"

REWRAP = {
    "fault-no-content-type": _typed(),  # 43
    "fault-text-plain": _typed(("content-type", "text/plain")),  # 43
    "fault-html": _typed(("content-type", "text/html; charset=utf-8"), body=HTML),  # 43
    "fault-empty": _typed(JSON, body=b""),  # 44
    "fault-gzip": _coded("gzip"),  # 45
    "fault-deflate": _coded("deflate"),  # 45
    "fault-br": _coded("br"),  # 45
    "fault-zstd": _coded("zstd"),  # 45
    "fault-truncated": _framed("short"),  # 46
    "fault-chunked": _framed("chunked"),
    "fault-until-close": _framed("close"),
}

# --- refusals ---

LIMITED = error("Rate limit reached for requests", kind="requests", code="rate_limit_exceeded")
QUOTA = error("You exceeded your current quota.", kind="insufficient_quota", code="insufficient_quota")
SERVER = error("The server had an error while processing your request.", kind="server_error")


def _refused(status, body, *headers):
    body = body if isinstance(body, bytes) else to_json(body)
    return Answer(status, body, (JSON, *headers) if not body.startswith(b"<") else headers)


ALWAYS = {
    "fault-401": _refused(401, error("Incorrect API key provided.", code="invalid_api_key")),  # 48
    "fault-403": _refused(403, error("You are not allowed to use this model.")),  # 48
    "fault-404": _refused(404, error("The model does not exist.", code="model_not_found")),  # 48
    "fault-408": _refused(408, error("Request timed out.")),
    "fault-409": _refused(409, error("Conflict.")),
    "fault-429": _refused(429, LIMITED),  # 49
    "fault-429-quota": _refused(429, QUOTA),
    "fault-429-seconds": _refused(429, LIMITED, ("retry-after", "1")),
    "fault-429-ms": _refused(429, LIMITED, ("retry-after-ms", "20")),
    "fault-429-121": _refused(429, LIMITED, ("retry-after", "121")),
    "fault-429-never": _refused(429, LIMITED, ("x-should-retry", "false")),
    "fault-500": _refused(500, SERVER, ("retry-after-ms", "20")),
    "fault-502-html": _refused(502, HTML, ("content-type", "text/html")),  # 51
    "fault-503": _refused(503, SERVER, ("retry-after-ms", "20")),
    "fault-504": _refused(504, SERVER, ("retry-after-ms", "20")),
    "fault-529": _refused(529, error("Overloaded", kind="overloaded_error")),  # 50
    "fault-307": Answer(307, b"", (("location", "/v1/moved/embeddings"),)),  # 63
}

FLAKY = {
    "flaky-429": ALWAYS["fault-429-ms"],
    "flaky-500": ALWAYS["fault-500"],
}

POISONED = {  # 47
    "fault-poison-422": _refused(422, {"detail": [{"loc": ["body", "input"], "msg": "bad input"}]}),
    "fault-poison-424": _refused(424, {"message": "backend failed", "code": 424, "type": "backend"}),
    "fault-poison-500": _refused(500, {"error": {"code": 500, "message": "input is bad", "type": "server_error"}}),
}
POISONED_AS_OPENAI = _refused(400, error(f"'$.input' is invalid. {answers.REFERENCE}"))


def refuse(question):
    """Raises what this model name is refused with."""
    if question.model in ALWAYS:
        raise answers.Refused(ALWAYS[question.model])
    if answers.has_poison(question):
        raise answers.Refused(POISONED.get(question.model, POISONED_AS_OPENAI))
    cap = re.fullmatch(r"fault-max-inputs-(\d+)", question.model)  # 52
    if cap and len(question.items) > int(cap[1]):
        raise refusal(400, error(f"Too many inputs. The max number of inputs is {cap[1]}. We hope to "
                                 "increase the number of inputs per request soon."))
    if not question.model.startswith("unlimited"):
        answers.check_limits(question)


def answer(question):
    """The 200 answer of this model name."""
    reply = answers.reply(question)
    reply = RESHAPE.get(question.model, lambda same, _: same)(reply, question)
    return REWRAP.get(question.model, lambda same: same)(Answer(200, to_json(reply)))
