"""Chat, responses, completions and moderations of the openai SDK, plain and streamed: cases 69 to 74 of
providers.md section 13."""

import pytest
from families.common import REFUSED

CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}
RESPONSE = {"model": "gpt-4o-mini", "input": "hello"}
COMPLETION = {"model": "gpt-3.5-turbo-instruct", "prompt": "hello"}
CHAT_TOOLS = {"tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]}
RESPONSE_TOOLS = {"tools": [{"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}]}
WHOLE = ["gpt-4o-mini", "split-stream", "commented-stream", "no-end"]
BROKEN = ["cut-stream", "cut-mid-frame", "error-mid-stream"]

STREAMED = {
    "chat": (lambda client: client.chat.completions, CHAT),
    "chat with usage": (lambda client: client.chat.completions, {**CHAT, "stream_options": {"include_usage": True}}),
    "chat with tools": (lambda client: client.chat.completions, {**CHAT, **CHAT_TOOLS}),
    "response": (lambda client: client.responses, RESPONSE),
    "response with tools": (lambda client: client.responses, {**RESPONSE, **RESPONSE_TOOLS}),
    "completion": (lambda client: client.completions, COMPLETION),
}
PLAIN = {
    "chat of a temperature": (lambda client: client.chat.completions, {**CHAT, "temperature": 0.5}),
    "three choices": (lambda client: client.chat.completions, {**CHAT, "n": 3}),
    "deterministic chat": (lambda client: client.chat.completions, {**CHAT, "temperature": 0}),
    "chat with tools": (lambda client: client.chat.completions, {**CHAT, **CHAT_TOOLS}),
    "response": (lambda client: client.responses, RESPONSE),
    "unstored response": (lambda client: client.responses, {**RESPONSE, "store": False, "temperature": 0}),
    "response with tools": (lambda client: client.responses, {**RESPONSE, **RESPONSE_TOOLS}),
    "completion": (lambda client: client.completions, COMPLETION),
    "moderation": (lambda client: client.moderations, {"input": "is this bad?"}),
    "moderations": (lambda client: client.moderations, {"input": ["this", "that"], "model": "omni-moderation-latest"}),
}


def create(table, name, **more):
    place, asked = table[name]
    return lambda client: place(client).with_raw_response.create(**{**asked, **more})


async def events(client, name, more, seen):
    """The events of a stream, and how it ended; by the sync or the async client."""
    place, asked = STREAMED[name]
    got = []
    try:
        stream = place(client).create(**{**asked, "stream": True, **more})
        if hasattr(stream, "__await__"):
            async for event in await stream:
                got.append(event.model_dump(warnings=False))
                seen()
        else:
            for event in stream:
                got.append(event.model_dump(warnings=False))
                seen()
    except Exception as failure:  # whatever an application would see
        facts = [getattr(failure, name, None) for name in ("status_code", "code", "type", "body")]
        return got, type(failure).__name__, str(failure), facts
    return got, "end"


def streamed(bench, side, name, seen=lambda: None, **more):
    return bench.sdk.run(events(bench.sdk.client(side.base_url), name, more, seen))


def expect_same_stream(bench, name, **more):
    """Directly, and twice through larder."""
    direct = streamed(bench, bench.provider, name, **more)
    for _ in range(2):
        assert streamed(bench, bench.larder, name, **more) == direct
    return direct


@pytest.mark.parametrize("name", PLAIN)
def test_an_answer_has_the_direct_outcome(bench, name):
    call = create(PLAIN, name)
    direct, first = bench.both(call)
    _, second = bench.both(call)
    assert direct.what == first.what == second.what
    assert "result" in direct.what
    assert direct.passed_on == first.passed_on


@pytest.mark.parametrize("name", STREAMED)
@pytest.mark.parametrize("model", WHOLE)
def test_a_stream_has_the_direct_events(bench, model, name):
    got = expect_same_stream(bench, name, model=model)
    assert got[1] == "end" and len(got[0]) >= 5


@pytest.mark.parametrize("name", STREAMED)
@pytest.mark.parametrize("model", BROKEN)
def test_a_broken_stream_has_the_direct_events_and_the_direct_failure(bench, model, name):
    got = expect_same_stream(bench, name, model=model)
    assert got[0]
    assert got[1] != "end" or got[0][-1]["type"] == "error"  # an event, where the API has one for it


@pytest.mark.parametrize("name", ["chat", "response", "completion"])
@pytest.mark.parametrize("model", REFUSED)
def test_a_refused_stream_has_the_direct_outcome(bench, model, name):
    assert expect_same_stream(bench, name, model=model)[0] == []


@pytest.mark.parametrize("name", ["deterministic chat", "response", "completion"])
@pytest.mark.parametrize("model", REFUSED)
def test_a_refusal_has_the_direct_outcome(bench, model, name):
    direct, first = bench.both(create(PLAIN, name, model=model))
    _, second = bench.both(create(PLAIN, name, model=model))
    assert direct.what == first.what == second.what
    assert direct.status == int(model.split("-")[1])
    assert direct.passed_on == first.passed_on


@pytest.mark.parametrize("name", STREAMED)
def test_the_first_event_arrives_before_the_provider_has_finished(bench, name):
    """The provider's second event waits for the client to have the first one."""
    got = streamed(bench, bench.larder, name, model="held-stream", seen=bench.provider.gate.set)
    assert got[1] == "end"
    assert bench.provider.gate_opened


def chat_calls(bench, *many):
    """How many of these chats reach the provider."""
    before = len(bench.provider.requests)
    for asked in many:
        bench.sdk.outcome(bench.larder.base_url, create(PLAIN, "deterministic chat", **asked))
    return len(bench.provider.requests) - before


def test_a_deterministic_chat_is_asked_for_once(bench):
    assert chat_calls(bench, {}, {}, {}) == 1


def test_a_deterministic_stream_is_asked_for_once_and_replayed(bench):
    direct = streamed(bench, bench.provider, "chat", temperature=0)
    before = len(bench.provider.requests)
    assert [streamed(bench, bench.larder, "chat", temperature=0) for _ in range(3)] == [direct] * 3
    assert len(bench.provider.requests) - before == 1


def test_other_chats_are_asked_for_each_time(bench):
    """A temperature, several choices, tools and another message are all reasons."""
    others = [{"temperature": 0.5}, {"n": 2}, CHAT_TOOLS, {"messages": [{"role": "user", "content": "bye"}]}]
    assert chat_calls(bench, {}, *others) == 1 + len(others)
    assert chat_calls(bench, *others[:3]) == 3
