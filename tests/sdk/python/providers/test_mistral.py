"""The official SDK of Mistral: it refuses embeddings without the `id` (case 42 of providers.md)."""

import pytest
from families.common import REFUSED
from mistralai.client import Mistral

FAMILY = "mistral"
TEXTS = ["one", "two", "one", "caf\u00e9", "\N{GRINNING FACE} "]
CHAT = {"model": "mistral-small", "messages": [{"role": "user", "content": "hello"}]}
TOOLS = {"tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]}


def client(kind, url, key="mi-one"):
    return Mistral(api_key=key, server_url=url, timeout_ms=20_000)


@pytest.fixture
def by(kind):
    """A method's name as the SDK has it for sync or async."""
    return lambda place, name: getattr(place, f"{name}_async" if kind == "async" else name)


@pytest.fixture
def embed(by):
    return lambda **more: lambda made: by(made.embeddings, "create")(
        **{"model": "mistral-embed", "inputs": TEXTS, **more})


@pytest.fixture
def chat(by):
    return lambda **more: lambda made: by(made.chat, "complete")(**{**CHAT, **more})


@pytest.fixture
def stream(by):
    return lambda **more: lambda made: by(made.chat, "stream")(**{**CHAT, **more})


@pytest.mark.parametrize("more", [
    {}, {"inputs": "one"}, {"inputs": ["one"]}, {"output_dimension": 16}, {"metadata": {"a": "b"}},
    {"encoding_format": "float"}, {"inputs": [f"text {index}" for index in range(512)]},
], ids=["list", "text", "one", "dimension", "metadata", "format", "512 texts"])
def test_embeddings_have_the_direct_outcome(rig, embed, more):
    got = rig.expect_same(embed(**more), stored=True)["result"]
    assert got["id"] and got["data"][0]["embedding"]


def test_a_bad_input_has_the_direct_outcome(rig, embed):
    rig.expect_failure(embed(inputs=["good", "bad __poison__"]))


@pytest.mark.parametrize("more", [{}, {"temperature": 0.5}, TOOLS], ids=["plain", "temperature", "tools"])
def test_a_chat_has_the_direct_outcome(rig, chat, more):
    got = rig.expect_same(chat(**more))["result"]
    assert got["choices"][0]["finish_reason"] == ("tool_calls" if more is TOOLS else "stop")


@pytest.mark.parametrize("more", [{}, TOOLS], ids=["text", "tools"])
@pytest.mark.parametrize("model", ["mistral-small", "split-stream", "commented-stream", "no-end"])
def test_a_stream_has_the_direct_events(rig, stream, model, more):
    got = rig.expect_same(stream(model=model, **more))
    assert "error" not in got and len(got["events"]) >= 8


@pytest.mark.parametrize("model", ["cut-stream", "cut-mid-frame", "error-mid-stream"])
def test_a_broken_stream_has_the_direct_events_and_the_direct_failure(rig, stream, model):
    assert rig.expect_failure(stream(model=model))["events"]


@pytest.mark.parametrize("name", ["embed", "chat", "stream"])
@pytest.mark.parametrize("model", REFUSED)
def test_a_refusal_has_the_direct_outcome(rig, request, model, name):
    rig.expect_failure(request.getfixturevalue(name)(model=model))


@pytest.mark.parametrize("name", ["embed", "chat"])
def test_a_wrong_key_has_the_direct_outcome(rig, request, name):
    got = rig.expect_failure(request.getfixturevalue(name)(), key="wrong-key")
    assert got["fact status_code"] == 401


def test_only_new_texts_are_asked_for(rig, embed):
    rig.ask(rig.through, embed())
    with rig.counting() as calls:
        got = rig.ask(rig.through, embed(inputs=[*TEXTS, "new"]))
    assert [call.json["input"] for call in calls] in (["new"], [["new"]])
    assert got == rig.ask(rig.direct, embed(inputs=[*TEXTS, "new"]))


def test_what_alters_a_vector_is_not_shared(rig, embed):
    others = [{}, {"output_dimension": 16}, {"model": "codestral-embed"}]
    with rig.counting() as calls:
        for more in others:
            rig.ask(rig.through, embed(**more))
    assert len(calls) == len(others)


def test_a_deterministic_chat_is_asked_for_once(rig, chat):
    with rig.counting() as calls:
        answers = [rig.ask(rig.through, chat(temperature=0)) for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(calls) == 1
