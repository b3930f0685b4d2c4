"""The official SDK of Anthropic: bearer tokens in 2.x, `x-api-key` in 0.x (case 76 of providers.md)."""

import anthropic
import pytest
from families.common import REFUSED

FAMILY = "anthropic"
ASKED = {"model": "claude-test", "max_tokens": 64, "messages": [{"role": "user", "content": "hello"}]}
TOOLS = {"tools": [{"name": "weather", "description": "Weather of a place", "input_schema": {
    "type": "object", "properties": {"place": {"type": "string"}, "days": {"type": "integer"}}}}]}
OLD = anthropic.__version__.startswith("0.")
WHOLE = ["claude-test", "split-stream", "commented-stream", "no-end"]
BROKEN = ["cut-stream", "cut-mid-frame", "error-mid-stream"]


def client(kind, url, **options):
    make = anthropic.AsyncAnthropic if kind == "async" else anthropic.Anthropic
    return make(**{"base_url": url, "api_key": "sk-ant-one", "max_retries": 0, "timeout": 20.0, **options})


def create(**more):
    return lambda made: made.messages.create(**{**ASKED, **more})


def streamed(kind, **more):
    """The SDK's own way to stream: its events, then the message it put together."""

    def events(made):
        with made.messages.stream(**{**ASKED, **more}) as stream:
            yield from stream
            yield stream.get_final_message()

    async def events_async(made):
        async with made.messages.stream(**{**ASKED, **more}) as stream:
            async for event in stream:
                yield event
            yield await stream.get_final_message()

    return events_async if kind == "async" else events


@pytest.mark.parametrize("more", [
    {}, {"system": "be brief"}, {"metadata": {"user_id": "u"}}, {"stop_sequences": ["x"]}, TOOLS,
    {"extra_headers": {"anthropic-beta": "some-beta-2026-01-01"}}, {"extra_body": {"unknown": [1]}},
], ids=["plain", "system", "metadata", "stop", "tools", "beta", "unknown field"])
def test_a_message_has_the_direct_outcome(rig, more):
    got = rig.expect_same(create(**more))["result"]
    assert got["stop_reason"] == ("tool_use" if more is TOOLS else "end_turn")


@pytest.mark.parametrize("more", [{}, TOOLS], ids=["text", "tools"])
@pytest.mark.parametrize("model", WHOLE)
def test_a_stream_has_the_direct_events(rig, model, more):
    got = rig.expect_same(create(model=model, stream=True, **more))
    assert "error" not in got and len(got["events"]) > 8


@pytest.mark.parametrize("more", [{}, TOOLS], ids=["text", "tools"])
@pytest.mark.parametrize("model", WHOLE)
def test_the_stream_helper_has_the_direct_events_and_message(rig, model, more):
    got = rig.expect_same(streamed(rig.kind, model=model, **more))
    assert "error" not in got and got["events"][-1]["role"] == "assistant"


@pytest.mark.parametrize("model", BROKEN)
def test_a_broken_stream_has_the_direct_events_and_the_direct_failure(rig, model):
    assert rig.expect_failure(create(model=model, stream=True))["events"]
    assert rig.expect_failure(streamed(rig.kind, model=model))["events"]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("model", REFUSED)
def test_a_refusal_has_the_direct_outcome(rig, model, stream):
    rig.expect_failure(create(model=model, stream=stream))


def test_a_wrong_key_has_the_direct_outcome(rig):
    got = rig.expect_failure(create(), api_key="wrong-key")
    assert got["error"] == "AuthenticationError"


def test_tokens_are_counted_as_directly(rig):
    asked = {name: ASKED[name] for name in ("model", "messages")}
    assert rig.expect_same(lambda made: made.messages.count_tokens(**asked))["result"]["input_tokens"] > 0


def test_the_key_reaches_the_provider_as_the_sdk_sends_it(rig):
    with rig.counting() as calls:
        rig.expect_same(create())
    names = ("authorization", "x-api-key", "anthropic-version")
    sent = [[call.header(name) for name in names] for call in calls]
    assert all(one == sent[0] for one in sent)
    assert sent[0][1 if OLD else 0].endswith("sk-ant-one")


def test_an_sdk_tries_again_through_larder_as_often_as_directly(rig):
    def tries(url):
        with rig.counting() as calls:
            got = rig.ask(url, create(model="fault-429-ms"), max_retries=2)
        return got, [call.header("x-stainless-retry-count") for call in calls]

    direct = tries(rig.direct)
    assert tries(rig.through) == direct
    assert direct[1] == ["0", "1", "2"]


def test_a_deterministic_message_is_asked_for_once(rig):
    call = create(temperature=0) if OLD else create(extra_body={"temperature": 0})
    with rig.counting() as calls:
        answers = [rig.ask(rig.through, call) for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(calls) == 1


def test_two_keys_share_nothing(rig):
    call = create(extra_body={"temperature": 0})
    with rig.counting() as calls:
        for key in ("sk-ant-one", "sk-ant-two"):
            rig.ask(rig.through, call, api_key=key)
    assert len(calls) == 2
