"""LlamaIndex on OpenAI embeddings: lists of a hundred, new lines to spaces, retries of its own around
the SDK's. It only reads a base URL of its own (trap 7 of providers.md)."""

import asyncio

import pytest
from llama_index.embeddings.openai import OpenAIEmbedding

FAMILY = "openai"
TEXTS = ["one", "two", "one", "with a\nnew line", "caf\u00e9"]
REFUSED = ["fault-401", "fault-403", "fault-404", "fault-429-quota"]


class Index:
    """The embedding by the methods of its kind."""

    def __init__(self, kind, url, options):
        self.kind = kind
        options = {"model": "text-embedding-3-small", "max_retries": 1, **options}
        self.made = OpenAIEmbedding(api_base=f"{url}/v1", api_key="sk-llama", **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.made._get_client().close()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.made._get_aclient().close()

    def call(self, method, argument):
        name = {"sync": f"get_{method}", "async": f"aget_{method}"}[self.kind]
        return getattr(self.made, name)(argument)


def client(kind, url, **options):
    return Index(kind, url, options)


def embed(method, argument):
    return lambda made: made.call(method, argument)


@pytest.mark.parametrize("method, argument", [
    ("query_embedding", "what is this?"), ("text_embedding", "a text"), ("text_embedding", "with a\nnew line"),
    ("text_embedding_batch", TEXTS), ("text_embedding_batch", [f"text {index}" for index in range(250)]),
], ids=["query", "text", "new line", "batch", "three batches"])
def test_embeddings_have_the_direct_outcome(rig, method, argument):
    got = rig.expect_same(embed(method, argument), stored=True)["result"]
    assert len(got) == (len(argument) if method.endswith("batch") else 8)


def test_dimensions_have_the_direct_outcome(rig):
    got = rig.expect_same(embed("text_embedding", "a text"), stored=True, dimensions=5)["result"]
    assert len(got) == 5


@pytest.mark.parametrize("model", REFUSED)
def test_a_refusal_has_the_direct_outcome(rig, model):
    rig.expect_failure(embed("text_embedding_batch", TEXTS), model=model)


def test_an_empty_text_has_the_direct_outcome(rig):
    """A list with an empty text, which OpenAI refuses as a whole."""
    rig.expect_same(embed("text_embedding_batch", ["a", ""]))


def test_a_query_is_stored_for_the_list_it_comes_in_later(rig):
    rig.ask(rig.through, embed("query_embedding", "one"))
    with rig.counting() as calls:
        got = rig.ask(rig.through, embed("text_embedding_batch", TEXTS))
    assert got == rig.ask(rig.direct, embed("text_embedding_batch", TEXTS))
    assert [call.inputs for call in calls] == [("two", "with a new line", "caf\u00e9")]


def test_many_at_once_have_the_direct_outcome(rig):
    if rig.kind == "sync":
        pytest.skip("one after the other")

    async def gathered(made):
        return await asyncio.gather(*(made.call("text_embedding", f"text {index % 7}") for index in range(21)))

    assert rig.ask(rig.through, gathered) == rig.ask(rig.direct, gathered)
