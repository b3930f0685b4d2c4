"""What the scripted provider says to a well-behaved model name: pure functions, no I/O.

It follows OpenAI: the shapes, the limits, and that one bad input refuses the whole call without
saying which one it was. A vector is a pure function of (model, dimensions, input), so whoever gets
a wrong one can tell.
"""

import base64
import functools
import hashlib
import json
import struct
from dataclasses import dataclass, field

DEFAULT_DIMENSIONS = 8
MAX_DIMENSIONS = 4096
MAX_INPUTS = 2048
MAX_INPUT_TOKENS = 8192
MAX_TOKENS = 300_000
POISON = "__poison__"

REFERENCE = "Please check the API reference: https://platform.openai.com/docs/api-reference."


@dataclass(frozen=True)
class Answer:
    """One HTTP answer. `framing` is one of length, chunked, close, short (a length that lies)."""

    status: int
    body: bytes
    headers: tuple = (("content-type", "application/json"),)
    framing: str = "length"


class Refused(Exception):
    """The provider's no."""

    def __init__(self, answer):
        super().__init__(answer.status)
        self.answer = answer


@dataclass(frozen=True)
class Question:
    """A valid request for embeddings. An item is a str, or a tuple of ints (or mixed parts)."""

    model: str
    items: tuple
    dimensions: int
    encoding: str
    extra: dict = field(default_factory=dict)


# --- vectors ---


@functools.lru_cache(maxsize=1 << 16)
def vector(model, dimensions, item):
    """The components, each exactly a 32-bit float. An odd 24-bit mantissa keeps its shortest
    decimal text unambiguous."""
    kind = "T" if isinstance(item, str) else "I"
    text = item if isinstance(item, str) else ",".join(map(repr, item))
    seed = f"{model}\0{dimensions}\0{kind}\0{text}".encode("utf-8", "surrogatepass")
    digest = hashlib.shake_256(seed).digest(4 * dimensions)
    return tuple(_component(raw) for (raw,) in struct.iter_unpack("<I", digest))


def _component(raw):
    mantissa = (raw >> 8) | 1
    return (-mantissa if raw & 1 else mantissa) * 2.0**-24


def decimals(components):
    """The doubles that a client reads from the shortest decimal text of 32-bit floats."""
    return [_shortest(component) for component in components]


def _shortest(component):
    bits = struct.pack("<f", component)
    for digits in range(6, 10):
        number = float(f"{component:.{digits}g}")
        if struct.pack("<f", number) == bits:
            return number
    raise AssertionError(f"{component} is no 32-bit float")


def packed(components):
    """Base64 of little-endian 32-bit floats."""
    return base64.b64encode(struct.pack(f"<{len(components)}f", *components)).decode()


def tokens(item):
    """What the provider counts for one input: bytes of a text, tokens of a token array."""
    return len(item.encode("utf-8", "surrogatepass")) if isinstance(item, str) else len(item)


# --- questions ---


def error(message, *, kind="invalid_request_error", param=None, code=None):
    """The body of a refusal, in OpenAI's shape."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def to_json(value):
    return json.dumps(value, ensure_ascii=False, indent=2).encode("utf-8", "surrogatepass")


def refusal(status, body, *headers):
    """A refusal as an exception."""
    return Refused(Answer(status, to_json(body), (("content-type", "application/json"), *headers)))


def invalid(name):
    return refusal(400, error(f"'$.{name}' is invalid. {REFERENCE}"))


def read_json(body):
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise refusal(400, error("We could not parse the JSON body of your request."))
    return value


def read_question(body, accepts_mixed=False):
    """A request for embeddings, or a refusal."""
    value = read_json(body)
    model = value.pop("model", None)
    if not isinstance(model, str) or not model:
        raise refusal(400, error("you must provide a model parameter"))
    encoding = value.pop("encoding_format", None) or "float"
    if encoding not in ("float", "base64"):
        raise invalid("encoding_format")
    items = _items(value.pop("input", None), accepts_mixed or model == "mixed-arrays")
    return Question(model, items, _dimensions(value.pop("dimensions", None)), encoding, value)


def _dimensions(value):
    if value is None:
        return DEFAULT_DIMENSIONS
    if type(value) is not int or not 0 < value <= MAX_DIMENSIONS:
        raise invalid("dimensions")
    return value


def _items(value, accepts_mixed):
    """A scalar text may be empty, a text in a list may not: trap 1 of providers.md."""
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list) or not value:
        raise invalid("input")
    if accepts_mixed:
        return _mixed(value)
    if all(type(part) is int for part in value):
        return (_token_array(value),)
    if all(isinstance(part, str) and part for part in value):
        return tuple(value)
    if all(isinstance(part, list) for part in value):
        return tuple(_token_array(part) for part in value)
    raise invalid("input")


def _token_array(value):
    good = value and all(type(token) is int and token >= 0 for token in value)
    if not good or len(value) > MAX_INPUTS:
        raise invalid("input")
    return tuple(value)


def _mixed(value):
    """As llama.cpp reads arrays: one with bare numbers in it is a single prompt."""
    if any(type(part) is int for part in value):
        return (tuple(value),)
    return tuple(tuple(part) if isinstance(part, list) else part for part in value)


def check_limits(question):
    """Refuses the whole call for what any input of it has too much of."""
    if len(question.items) > MAX_INPUTS:
        raise refusal(400, error(f"'$.input' is invalid: more than {MAX_INPUTS} inputs. {REFERENCE}"))
    counts = [tokens(item) for item in question.items]
    if max(counts) > MAX_INPUT_TOKENS:
        raise refusal(400, error(
            f"This model's maximum context length is {MAX_INPUT_TOKENS} tokens, however you requested"
            f" {max(counts)} tokens ({max(counts)} in your prompt; 0 for the completion). Please reduce"
            " your prompt; or completion length."))
    if sum(counts) > MAX_TOKENS:
        raise refusal(400, error(
            f"Requested {sum(counts)} tokens, max {MAX_TOKENS} tokens per request",
            kind="max_tokens_per_request", code="max_tokens_per_request"))


def has_poison(question):
    return any(POISON in item for item in question.items if isinstance(item, str))


# --- replies ---


def reply(question):
    """The 200 body, as a value."""
    model = question.model + _altered_by(question.extra)
    data = [
        {"object": "embedding", "index": index, "embedding": _written(model, question, item)}
        for index, item in enumerate(question.items)
    ]
    total = sum(map(tokens, question.items))
    usage = {"prompt_tokens": total, "total_tokens": total}
    return {"object": "list", "data": data, "model": question.model, "usage": usage}


def _altered_by(extra):
    """A field that the provider does not know alters the vector, so that a cache key without it
    shows; `user` alters none."""
    rest = {name: value for name, value in extra.items() if name != "user"}
    return json.dumps(rest, sort_keys=True) if rest else ""


def _written(model, question, item):
    components = vector(model, question.dimensions, item)
    return packed(components) if question.encoding == "base64" else decimals(components)
