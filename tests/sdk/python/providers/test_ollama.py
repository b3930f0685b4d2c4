"""The official SDK of Ollama (case 35 of providers.md): lines of JSON, and two calls for embeddings
that are not the same."""

import ollama
import pytest
from families.common import REFUSED

FAMILY = "ollama"
TEXTS = ["one", "two", "one", "caf\u00e9", "\N{GRINNING FACE} "]
CHAT = {"model": "llama3.2", "messages": [{"role": "user", "content": "hello"}]}
GENERATE = {"model": "llama3.2", "prompt": "hello"}
TOOLS = {"tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]}


def client(kind, url):
    make = ollama.AsyncClient if kind == "async" else ollama.Client
    return make(host=url, timeout=20.0)


def embed(**more):
    return lambda made: made.embed(**{"model": "all-minilm", "input": TEXTS, **more})


def embeddings(**more):
    return lambda made: made.embeddings(**{"model": "all-minilm", "prompt": "one", **more})


def chat(**more):
    return lambda made: made.chat(**{**CHAT, **more})


def generate(**more):
    return lambda made: made.generate(**{**GENERATE, **more})


def untimed(got):
    """A hit has times of its own."""
    return {name: value for name, value in got["result"].items() if not name.endswith("_duration")}


@pytest.mark.parametrize("more", [
    {}, {"input": "one"}, {"input": ["one"]}, {"truncate": False}, {"dimensions": 16}, {"options": {"num_ctx": 64}},
    {"keep_alive": "5m"},
], ids=["list", "text", "one", "no truncation", "dimensions", "options", "keep alive"])
def test_embeddings_have_the_direct_outcome(rig, more):
    direct = rig.ask(rig.direct, embed(**more))
    with rig.counting() as calls:
        through = [rig.ask(rig.through, embed(**more)) for _ in range(2)]
    assert [untimed(got) for got in through] == [untimed(direct)] * 2
    assert len(calls) == 1


@pytest.mark.parametrize("more", [{"input": ""}, {"input": []}, {"input": ["good", "bad __poison__"]}],
                         ids=["empty text", "none", "poison"])
def test_odd_inputs_have_the_direct_outcome(rig, more):
    rig.expect_same(embed(**more))


@pytest.mark.parametrize("more", [{}, {"prompt": ""}, {"options": {"num_ctx": 64}}], ids=["text", "empty", "options"])
def test_older_embeddings_have_the_direct_outcome(rig, more):
    rig.expect_same(embeddings(**more))


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("call", [chat, generate], ids=["chat", "generate"])
def test_text_has_the_direct_outcome(rig, call, stream):
    got = rig.expect_same(call(stream=stream))
    assert len(got["events"]) == (7 if stream else 0) and "error" not in got


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_a_tool_call_has_the_direct_outcome(rig, stream):
    got = rig.expect_same(chat(stream=stream, **TOOLS))
    last = got["events"][-1] if stream else got["result"]
    assert last["message"]["tool_calls"][0]["function"]["name"] == "weather"


@pytest.mark.parametrize("call", [chat, generate], ids=["chat", "generate"])
@pytest.mark.parametrize("model", ["split-stream", "no-end"])
def test_an_unusual_stream_has_the_direct_events(rig, model, call):
    got = rig.expect_same(call(model=model, stream=True))
    assert "error" not in got and got["events"]


@pytest.mark.parametrize("call", [chat, generate], ids=["chat", "generate"])
@pytest.mark.parametrize("model", ["cut-stream", "cut-mid-frame", "error-mid-stream"])
def test_a_broken_stream_has_the_direct_events_and_the_direct_failure(rig, model, call):
    assert rig.expect_failure(call(model=model, stream=True))["events"]


@pytest.mark.parametrize("call", [
    embed, embeddings, chat, generate, lambda **more: chat(stream=True, **more),
], ids=["embed", "embeddings", "chat", "generate", "stream"])
@pytest.mark.parametrize("model", REFUSED)
def test_a_refusal_has_the_direct_outcome(rig, model, call):
    rig.expect_failure(call(model=model))


def test_the_list_of_models_has_the_direct_outcome(rig):
    assert len(rig.expect_same(lambda made: made.list())["result"]["models"]) == 2


def test_the_two_calls_for_embeddings_share_nothing(rig):
    with rig.counting() as calls:
        newer = rig.ask(rig.through, embed(input="one"))["result"]
        older = rig.ask(rig.through, embeddings())["result"]
    assert len(calls) == 2
    assert newer["embeddings"][0] != older["embedding"]


def test_only_new_texts_are_asked_for(rig):
    rig.ask(rig.through, embed())
    with rig.counting() as calls:
        got = rig.ask(rig.through, embed(input=[*TEXTS, "new"]))
    assert [call.json["input"] for call in calls] in (["new"], [["new"]])
    assert untimed(got) == untimed(rig.ask(rig.direct, embed(input=[*TEXTS, "new"])))


def test_what_alters_a_vector_is_not_shared(rig):
    others = [{}, {"dimensions": 16}, {"truncate": False}, {"options": {"num_ctx": 64}}, {"model": "all-minilm:latest"}]
    with rig.counting() as calls:
        for more in others:
            rig.ask(rig.through, embed(**more))
    assert len(calls) == len(others)
