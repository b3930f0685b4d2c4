"""What became of an SDK call, in a form that two calls can be compared in."""

import inspect
import re
from dataclasses import dataclass

import openai

PASSED_ON = re.compile(r"content-type|x-request-id|x-ratelimit-.*|openai-.*|retry-after.*|x-should-retry")


@dataclass(frozen=True)
class Outcome:
    """`what` is compared; the headers are those of the answer, if there was one."""

    what: dict
    headers: dict

    @property
    def vectors(self):
        return [item["embedding"] for item in self.what["result"]["data"]]

    @property
    def usage(self):
        return self.what["result"]["usage"]

    @property
    def status(self):
        return self.what.get("status")

    @property
    def cache_status(self):
        return self.headers.get("cache-status", "")

    @property
    def passed_on(self):
        """The provider's headers that a caller may act on. Request ids differ from call to call."""
        found = {k: v for k, v in self.headers.items() if PASSED_ON.fullmatch(k)}
        return {k: re.sub(r"prov-\d+", "prov-N", v) for k, v in found.items()}


async def outcome(call):
    """Runs a call that gives a raw response, sync or async, to its end."""
    headers = {}
    try:
        raw = await _awaited(call())
        headers = _headers(raw.headers)
        result = await _awaited(raw.parse())
        return Outcome({"result": exact(_plain(result))}, headers)
    except Exception as failure:  # whatever an application would see
        response = getattr(failure, "response", None)
        return Outcome(_failed(failure), headers if response is None else _headers(response.headers))


async def _awaited(value):
    return await value if inspect.isawaitable(value) else value


def _headers(headers):
    return {name.lower(): value for name, value in headers.items()}


def _plain(result):
    return result.model_dump(warnings=False) if hasattr(result, "model_dump") else result


def _failed(failure):
    what = {"error": type(failure).__name__, "message": str(failure)}
    if isinstance(failure, openai.APIError):
        names = ("status_code", "code", "param", "type", "body")
        what.update({name: exact(getattr(failure, name, None)) for name in names})
        what["status"] = what.pop("status_code")
    if isinstance(failure, openai.APIStatusError):
        what["bytes"] = failure.response.content
    return what


def exact(value):
    """Numbers to the last bit: nan equals nan, -0.0 is not 0.0, 1 is not 1.0."""
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, dict):
        return {name: exact(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [exact(member) for member in value]
    return value
