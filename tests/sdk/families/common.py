"""What the families of scripted providers share: the call, refusals and streams by model name, and
text and vectors that are pure functions of what was asked."""

import hashlib
import json
from dataclasses import dataclass, replace
from urllib.parse import parse_qs

import answers
from answers import Answer, Refused, to_json

CREATED = 1_700_000_000
JSON = ("content-type", "application/json")
SSE = "text/event-stream; charset=utf-8"
WRONG_KEY = "wrong-key"
LARGE = 1024  # frames of 64 KiB: more than the sockets between hold


@dataclass(frozen=True)
class Call:
    """One request to a provider, its path without the family's name."""

    method: str
    path: str
    query: str
    headers: dict
    body: bytes

    @property
    def json(self):
        return answers.read_json(self.body)

    def question(self, say, *needed):
        """The body, if it has what is needed of it."""
        try:
            value = self.json
        except Refused:
            value = {}
        if not all(name in value for name in needed):
            raise refused(400, say(400))
        return value

    @property
    def has_wrong_key(self):
        """Whatever the way that the family's SDKs send a key."""
        names = ("authorization", "x-api-key", "x-goog-api-key")
        sent = [self.headers.get(name, "") for name in names] + parse_qs(self.query).get("key", [])
        return any(WRONG_KEY in key for key in sent)


@dataclass(frozen=True)
class Stream:
    """A streamed answer: each frame is a chunk of its own. A broken one ends with the connection and
    without the last, empty chunk; a held one waits after its first frame."""

    frames: tuple
    content_type: str = SSE
    broken: bool = False
    held: bool = False


# --- refusals ---

REFUSED = {
    "fault-400": (400, ()),
    "fault-403": (403, ()),
    "fault-404": (404, ()),
    "fault-429": (429, ()),
    "fault-429-seconds": (429, (("retry-after", "7"),)),
    "fault-429-ms": (429, (("retry-after-ms", "20"),)),
    "fault-500": (500, ()),
    "fault-503": (503, (("retry-after", "1"),)),
    "fault-529": (529, ()),
}


def refused(status, body, *headers):
    return Refused(Answer(status, to_json(body), (JSON, *headers)))


def refuse(call, model, asked, say):
    """Raises what a call is refused with, in the family's shape: `say(status)` is the body. Like the
    providers, it does not say which of several inputs is the bad one."""
    if call.has_wrong_key:
        raise refused(401, say(401))
    if model in REFUSED:
        status, headers = REFUSED[model]
        raise refused(status, say(status), *headers)
    if answers.POISON in json.dumps(asked):
        raise refused(400, say(400))


# --- content ---


def seed(*asked):
    """A text for all that was asked: a field that is left out of a cache key alters the answer."""
    return json.dumps(asked, sort_keys=True)


def words(*asked):
    return [hashlib.sha256(f"{seed(*asked)} {i}".encode()).hexdigest()[:6] + " " for i in range(6)]


def vector(asked, dimensions, text):
    return answers.vector(seed(asked), dimensions, text)


def floats(asked, dimensions, text):
    return answers.decimals(vector(asked, dimensions, text))


def without(fields, *names):
    """The fields that alter the answer: those that are not null and are not in names."""
    return {name: value for name, value in fields.items() if value is not None and name not in names}


# --- streams ---


def sse(data, event=None):
    head = f"event: {event}\n" if event else ""
    text = data if isinstance(data, str) else json.dumps(data)
    return f"{head}data: {text}\n\n".encode()


def lines(values):
    """Newline-delimited JSON."""
    return [json.dumps(value).encode() + b"\n" for value in values]


def _commented(frame):
    """The same event as another server might write it: a comment before it, and CRLF."""
    return b": ping\r\n\r\n" + frame.replace(b"\n", b"\r\n")


def streamed(model, frames, error, content_type=SSE):
    """The stream of this model name. The last frame is the end marker."""
    frames = tuple(frames)
    half = len(frames) // 2
    whole = Stream(frames, content_type, held=model.startswith("held"))
    if model == "cut-stream":
        return replace(whole, frames=frames[:half], broken=True)
    if model == "cut-mid-frame":
        frame = frames[half]
        return replace(whole, frames=(*frames[:half], frame[: len(frame) // 2]), broken=True)
    if model == "no-end":
        return replace(whole, frames=frames[:-1])
    if model == "error-mid-stream":
        return replace(whole, frames=(*frames[:half], error))
    if model == "split-stream":
        return replace(whole, frames=tuple(bytes([byte]) for byte in b"".join(frames)))
    if model == "large-stream":
        return replace(whole, frames=(*(sse({"padding": "x" * (1 << 16)}),) * LARGE, frames[-1]))
    if model == "commented-stream":
        return replace(whole, frames=tuple(map(_commented, frames)))
    return whole
