"""The rig of these tests: an SDK before a scripted provider, directly and through larder."""

import asyncio
import contextlib
import dataclasses
import enum
import inspect
import re

from outcome import exact

FAMILIES = ["openai", "anthropic", "cohere", "gemini", "mistral", "ollama", "voyage"]
KEPT = re.compile(r"content-type|request-id|x-ratelimit-.*|anthropic-ratelimit-.*|retry-after.*|x-should-retry")
FACTS = ("status_code", "http_status", "code", "status", "type", "param", "body", "json_body", "details", "error")


def config_of(provider):
    """Every family under its own name, as `/{provider}/…` paths have it, in its own dialect."""
    tables = []
    for family in FAMILIES:
        tables.append(f"[providers.{family}]")
        if family != "openai":  # which is the default provider, at the upstream of the command line
            tables.append(f'base_url = "{provider.origin}/{family}"')
    return "\n".join(tables) + "\n"


class Rig:
    """One family's SDK: `sdk` is the module of the tests, whose `client(kind, url)` makes a client. If
    outcomes hold what the SDK draws at random, its `neutral(outcome)` takes that out."""

    def __init__(self, provider, larder, family, kind, sdk):
        self.provider, self.kind, self.family = provider, kind, family
        self._make = sdk.client
        self._neutral = getattr(sdk, "neutral", lambda outcome: outcome)
        place = "" if family == "openai" else f"/{family}"
        self.direct = provider.origin + place
        self.through = "http://{}:{}".format(*larder.address) + place

    def ask(self, url, call, **options):
        """What becomes of `call(client)`: a value, something to await, or an iterator of events."""
        return self._neutral(self._outcome(url, call, options))

    def _outcome(self, url, call, options):
        events = []
        try:
            if self.kind == "async":
                result = asyncio.run(_run_async(lambda: self._make("async", url, **options), call, events))
            else:
                result = _run_sync(self._make("sync", url, **options), call, events)
            return {"result": result, "events": events}
        except Exception as failure:  # whatever an application would see
            return {**_failed(failure, url), "events": events}

    def expect_same(self, call, *, stored=False, **options):
        """Through larder, twice, the call has the direct outcome. If an answer like this may be
        stored, the provider is not asked the second time."""
        direct = self.ask(self.direct, call, **options)
        assert self.ask(self.through, call, **options) == direct
        with self.counting() as calls:
            assert self.ask(self.through, call, **options) == direct
        if stored:
            assert len(calls) == 0, [request.target for request in calls]
        return direct

    def expect_failure(self, call, **options):
        direct = self.expect_same(call, **options)
        assert "error" in direct, direct
        return direct

    def counting(self):
        return _Counting(self.provider)


class _Counting(list):
    """The requests that reach the provider meanwhile."""

    def __init__(self, provider):
        super().__init__()
        self._provider = provider

    def __enter__(self):
        self._before = len(self._provider.requests)
        return self

    def __exit__(self, *_):
        self.extend(self._provider.requests[self._before :])


# --- outcomes ---


def _run_sync(client, call, events):
    """A client that can be closed is closed: an open connection would hold up larder's end."""
    with client if hasattr(client, "__exit__") else contextlib.nullcontext():
        value = call(client)
        if not hasattr(value, "__next__"):
            return plain(value)
        for event in value:
            events.append(plain(event))
    return None


async def _run_async(make, call, events):
    client = make()
    async with client if hasattr(client, "__aexit__") else contextlib.nullcontext():
        value = call(client)
        if inspect.isawaitable(value):
            value = await value
        if not hasattr(value, "__anext__"):
            return plain(value)
        async for event in value:
            events.append(plain(event))
    return None


def plain(value):
    """Without the SDK's own classes, and without the headers that some put in their results."""
    if isinstance(value, enum.Enum):
        return value.value
    if hasattr(value, "model_dump"):
        value = value.model_dump(warnings=False)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif hasattr(value, "__dict__") and not callable(value):
        value = vars(value)
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items() if name != "sdk_http_response"}
    if isinstance(value, (list, tuple)):
        return [plain(member) for member in value]
    return exact(value)


def _failed(failure, url):
    what = {"error": type(failure).__name__}
    for name in FACTS:
        if name in vars(failure):
            what[f"fact {name}"] = plain(getattr(failure, name))
    response = getattr(failure, "response", None)
    headers = getattr(response, "headers", None) or getattr(failure, "headers", None) or {}
    what["headers"] = {name.lower(): value for name, value in headers.items() if KEPT.fullmatch(name.lower())}
    # Without what differs between any two calls: the address, and the headers that some messages quote.
    what["message"] = str(failure).replace(str(headers), "HEADERS").replace(url, "URL")
    return what
