"""LiteLLM as a client of several families: OpenAI's shapes for the caller, each family's own on the
wire."""

import gc

import litellm
import pytest

CHAT = {"messages": [{"role": "user", "content": "hello"}]}
TOOLS = {"tools": [{"type": "function", "function": {
    "name": "weather", "description": "Weather of a place",
    "parameters": {"type": "object", "properties": {"place": {"type": "string"}}}}}]}
TEXTS = ["one", "two", "one", "caf\u00e9"]
MODELS = {  # the family: LiteLLM's name of it, and what a base URL of it is
    "openai": ("openai", "{}/v1"),
    "anthropic": ("anthropic", "{}"),
    "mistral": ("mistral", "{}/v1"),
    "gemini": ("gemini", "{}/v1beta"),
    "ollama": ("ollama_chat", "{}"),
}
EMBEDDING = {
    "openai": ("openai", "{}/v1"),
    "mistral": ("mistral", "{}/v1"),
    "cohere": ("cohere", "{}/v2/embed"),
    "voyage": ("voyage", "{}/v1/embeddings"),
}


@pytest.fixture(autouse=True)
def collected():
    """LiteLLM drops broken streams unclosed. Where Python then collects them in the middle of httpcore's
    own work, httpcore waits for a lock that it holds itself (1.0.9), for ever. What is left then is LiteLLM's
    own, and so much that to look at it again after each test would take longer than the tests."""
    gc.disable()
    yield
    gc.enable()
    gc.collect()
    gc.freeze()


class Lite:
    """LiteLLM's functions of a kind before a base URL."""

    def __init__(self, kind, url):
        self.prefix = "a" if kind == "async" else ""
        self.url = url

    def call(self, function, known, family, model, **more):
        name, base = known[family]
        return getattr(litellm, self.prefix + function)(
            model=f"{name}/{model}", api_base=base.format(self.url), api_key="sk-lite", num_retries=0, max_retries=0,
            timeout=20, **more)


def client(kind, url):
    return Lite(kind, url)


def neutral(outcome):
    """Without the ids and times that LiteLLM makes up where the provider sends none."""
    if isinstance(outcome, dict):
        return {name: neutral(value) for name, value in outcome.items() if name not in ("id", "created")}
    return [neutral(value) for value in outcome] if isinstance(outcome, list) else outcome


def completion(family, model="some-model", **more):
    return lambda made: made.call("completion", MODELS, family, model, **CHAT, **more)


def embedding(family, model="some-model", **more):
    return lambda made: made.call("embedding", EMBEDDING, family, model, **{"input": TEXTS, **more})


@pytest.mark.parametrize("more", [{}, TOOLS], ids=["text", "tools"])
@pytest.mark.parametrize("family", MODELS)
def test_a_completion_has_the_direct_outcome(make_rig, family, more):
    got = make_rig(family).expect_same(completion(family, **more))["result"]
    assert got["choices"]


@pytest.mark.parametrize("family", MODELS)
def test_a_stream_has_the_direct_events(make_rig, family):
    got = make_rig(family).expect_same(completion(family, stream=True))
    assert "error" not in got and len(got["events"]) >= 6


@pytest.mark.parametrize("family", EMBEDDING)
def test_embeddings_have_the_direct_outcome(make_rig, family):
    got = make_rig(family).expect_same(embedding(family), stored=True)["result"]
    assert len(got["data"]) == len(TEXTS)


@pytest.mark.parametrize("model", ["fault-400", "fault-403", "fault-404", "fault-429", "fault-500", "fault-503"])
@pytest.mark.parametrize("family", MODELS)
def test_a_refusal_has_the_direct_outcome(make_rig, family, model):
    make_rig(family).expect_failure(completion(family, model))


@pytest.mark.parametrize("model", ["cut-stream", "error-mid-stream"])
@pytest.mark.parametrize("family", MODELS)
def test_a_broken_stream_has_the_direct_events_and_the_direct_failure(make_rig, family, model):
    """LiteLLM takes no notice of Mistral's error."""
    direct = make_rig(family).expect_same(completion(family, model, stream=True))
    assert ("error" in direct) == ((family, model) != ("mistral", "error-mid-stream"))
