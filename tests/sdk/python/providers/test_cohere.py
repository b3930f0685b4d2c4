"""The official SDK of Cohere, its clients of version 1 and 2 (case 33 of providers.md)."""

import cohere
import pytest
from cohere.core.request_options import RequestOptions
from families.common import REFUSED

FAMILY = "cohere"
TEXTS = ["one", "two", "one", "caf\u00e9", "\N{GRINNING FACE} "]
DOCUMENT = {"model": "embed-v4.0", "input_type": "search_document"}
KINDS = ["float", "int8", "uint8", "binary", "ubinary", "base64"]
CHAT = {"model": "command-a", "messages": [{"role": "user", "content": "hello"}]}
TOOLS = {"tools": [{"type": "function", "function": {"name": "weather", "description": "Weather of a place",
                                                      "parameters": {"type": "object", "properties": {}}}}]}
ONCE = RequestOptions(max_retries=0)


class Clients:
    """Those of both versions; what closes one closes all that it has."""

    def __init__(self, kind, url, key):
        options = {"api_key": key, "base_url": url, "timeout": 20.0}
        self.v1 = (cohere.AsyncClient if kind == "async" else cohere.Client)(**options)
        self.v2 = (cohere.AsyncClientV2 if kind == "async" else cohere.ClientV2)(**options)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.v1.__exit__(*failure)
        self.v2.__exit__(*failure)

    async def __aenter__(self):
        return self

    async def __aexit__(self, *failure):
        await self.v1.__aexit__(*failure)
        await self.v2.__aexit__(*failure)


def client(kind, url, key="co-one"):
    return Clients(kind, url, key)


def embed(**more):
    asked = {**DOCUMENT, "texts": TEXTS, "embedding_types": ["float"], **more}
    return lambda made: made.v2.embed(**asked, request_options=ONCE)


def embed_v1(**more):
    return lambda made: made.v1.embed(**{**DOCUMENT, "texts": TEXTS, **more}, request_options=ONCE)


def chat(**more):
    return lambda made: made.v2.chat(**{**CHAT, **more}, request_options=ONCE)


def chat_stream(**more):
    return lambda made: made.v2.chat_stream(**{**CHAT, **more}, request_options=ONCE)


@pytest.mark.parametrize("kinds", [[kind] for kind in KINDS] + [KINDS], ids=[*KINDS, "all"])
def test_each_type_of_embedding_has_the_direct_outcome(rig, kinds):
    got = rig.expect_same(embed(embedding_types=kinds), stored=True)["result"]
    assert len(got["embeddings"]["float_" if kinds[0] == "float" else kinds[0]]) == len(TEXTS)


@pytest.mark.parametrize("more", [
    {"texts": ["one"]}, {"input_type": "search_query"}, {"truncate": "NONE"}, {"output_dimension": 16},
    {"max_tokens": 5}, {"texts": [f"text {index}" for index in range(96)]},
], ids=["one", "query", "truncate", "dimension", "max tokens", "96 texts"])
def test_embeddings_have_the_direct_outcome(rig, more):
    rig.expect_same(embed(**more), stored=True)


@pytest.mark.parametrize("more", [{}, {"embedding_types": ["float", "int8"]}], ids=["plain", "by type"])
def test_embeddings_of_version_1_have_the_direct_outcome(rig, more):
    rig.expect_same(embed_v1(**more), stored=True)


def test_version_1_splits_many_texts_and_has_the_direct_outcome(rig):
    got = rig.expect_same(embed_v1(texts=[f"text {index}" for index in range(200)]), stored=True)["result"]
    assert len(got["embeddings"]) == 200


@pytest.mark.parametrize("texts", [["good", "bad __poison__"], [], [""]], ids=["poison", "none", "empty text"])
def test_odd_texts_have_the_direct_outcome(rig, texts):
    rig.expect_same(embed(texts=texts))


def test_too_many_texts_have_the_direct_outcome(rig):
    """Unless larder splits them, which is better than the provider's refusal."""
    call = embed(texts=[f"text {index}" for index in range(97)])
    assert rig.ask(rig.direct, call)["error"] == "BadRequestError"
    through = rig.ask(rig.through, call)
    if "error" in through:
        assert through == rig.ask(rig.direct, call)
    else:
        parts = [embed(texts=[f"text {index}" for index in span]) for span in (range(96), range(96, 97))]
        wanted = [rig.ask(rig.direct, part)["result"]["embeddings"]["float_"] for part in parts]
        assert through["result"]["embeddings"]["float_"] == wanted[0] + wanted[1]


@pytest.mark.parametrize("call", [
    lambda made: made.v1.rerank(model="rerank-v3.5", query="q", documents=TEXTS, request_options=ONCE),
    lambda made: made.v2.rerank(model="rerank-v3.5", query="q", documents=TEXTS, request_options=ONCE),
    lambda made: made.v2.rerank(model="rerank-v3.5", query="q", documents=TEXTS, top_n=2, request_options=ONCE),
], ids=["version 1", "version 2", "top 2"])
def test_a_rerank_has_the_direct_outcome(rig, call):
    assert rig.expect_same(call)["result"]["results"]


@pytest.mark.parametrize("more", [{}, {"temperature": 0.5}, TOOLS], ids=["plain", "temperature", "tools"])
def test_a_chat_has_the_direct_outcome(rig, more):
    got = rig.expect_same(chat(**more))["result"]
    assert got["finish_reason"] == ("TOOL_CALL" if more is TOOLS else "COMPLETE")


@pytest.mark.parametrize("more", [{}, TOOLS], ids=["text", "tools"])
@pytest.mark.parametrize("model", ["command-a", "split-stream", "commented-stream", "no-end", "error-mid-stream"])
def test_a_stream_has_the_direct_events(rig, model, more):
    assert rig.expect_same(chat_stream(model=model, **more))["events"]


@pytest.mark.parametrize("model", ["cut-stream", "cut-mid-frame"])
def test_a_cut_stream_has_the_direct_events_and_the_direct_failure(rig, model):
    assert rig.expect_failure(chat_stream(model=model))["events"]


@pytest.mark.parametrize("ask", [embed, chat, chat_stream], ids=["embed", "chat", "stream"])
@pytest.mark.parametrize("model", REFUSED)
def test_a_refusal_has_the_direct_outcome(rig, model, ask):
    rig.expect_failure(ask(model=model))


@pytest.mark.parametrize("ask", [embed, chat], ids=["embed", "chat"])
def test_a_wrong_key_has_the_direct_outcome(rig, ask):
    assert rig.expect_failure(ask(), key="wrong-key")["error"] == "UnauthorizedError"


def test_a_set_of_types_is_an_entry_of_its_own(rig):
    """Two types, then one of them."""
    rig.expect_same(embed(embedding_types=["float", "int8"]), stored=True)
    rig.expect_same(embed(embedding_types=["int8"]), stored=True)


def test_only_new_texts_are_asked_for(rig):
    rig.ask(rig.through, embed())
    with rig.counting() as calls:
        got = rig.ask(rig.through, embed(texts=[*TEXTS, "new"]))
    assert [call.json["texts"] for call in calls] == [["new"]]
    assert got == rig.ask(rig.direct, embed(texts=[*TEXTS, "new"]))


def test_what_alters_a_vector_is_not_shared(rig):
    others = [{}, {"input_type": "search_query"}, {"output_dimension": 16}, {"truncate": "NONE"}, {"model": "embed-v5"}]
    with rig.counting() as calls:
        for more in others:
            rig.ask(rig.through, embed(**more))
        rig.ask(rig.through, embed_v1(embedding_types=["float"]))
    assert len(calls) == len(others) + 1
