"""The official SDK of Voyage (case 32 of providers.md): it writes nulls for what was not asked for, and
wants base64."""

import pytest
import requests
import voyageai
from families.common import REFUSED
from voyageai.api_resources import api_requestor

FAMILY = "voyage"
TEXTS = ["one", "two", "one", "caf\u00e9", "\N{GRINNING FACE} "]


@pytest.fixture(autouse=True)
def closed_session(rig):
    """The SDK keeps a session for each thread; its open connection would hold up larder's end."""
    yield
    session = vars(api_requestor._thread_context).pop("session", None)
    if session is not None:
        session.close()


def client(kind, url, key="pa-one"):
    make = voyageai.AsyncClient if kind == "async" else voyageai.Client
    return make(api_key=key, base_url=f"{url}/v1", max_retries=0, timeout=20)


def embed(**more):
    return lambda made: made.embed(**{"texts": TEXTS, "model": "voyage-3.5", **more})


def contextualized(*documents):
    return lambda made: made.contextualized_embed(inputs=list(documents), model="voyage-context-3")


def rerank(**more):
    return lambda made: made.rerank(**{"query": "q", "documents": TEXTS, "model": "rerank-2.5", **more})


@pytest.mark.parametrize("more", [
    {}, {"texts": ["one"]}, {"input_type": "query"}, {"input_type": "document"}, {"truncation": False},
    {"output_dimension": 16}, {"texts": [f"text {index}" for index in range(1000)]},
], ids=["plain", "one", "query", "document", "no truncation", "dimension", "1000 texts"])
def test_embeddings_have_the_direct_outcome(rig, more):
    got = rig.expect_same(embed(**more), stored=True)["result"]
    assert len(got["embeddings"]) == len(more.get("texts", TEXTS)) and got["total_tokens"] > 0


@pytest.mark.parametrize("kind_of_number", ["int8", "uint8", "binary", "ubinary"])
def test_each_type_of_number_has_the_direct_outcome(rig, kind_of_number):
    rig.expect_same(embed(output_dtype=kind_of_number, output_dimension=16), stored=True)


@pytest.mark.parametrize("texts", [["good", "bad __poison__"], [], ["a", ""]], ids=["poison", "none", "empty text"])
def test_odd_texts_have_the_direct_outcome(rig, texts):
    rig.expect_failure(embed(texts=texts))


def test_contextualized_embeddings_have_the_direct_outcome(rig):
    """The chunks of one document belong together: the same chunk has other vectors in another one."""
    got = rig.expect_same(contextualized(["a", "b"], ["a", "c"]), stored=True)["result"]
    assert got["results"][0]["embeddings"][0] != got["results"][1]["embeddings"][0]
    rig.expect_same(contextualized(["a", "c"], ["c"]))


@pytest.mark.parametrize("more", [{}, {"top_k": 2}], ids=["all", "top 2"])
def test_a_rerank_has_the_direct_outcome(rig, more):
    assert rig.expect_same(rerank(**more))["result"]["results"]


@pytest.mark.parametrize("ask", [embed, rerank], ids=["embed", "rerank"])
@pytest.mark.parametrize("model", REFUSED)
def test_a_refusal_has_the_direct_outcome(rig, model, ask):
    rig.expect_failure(ask(model=model))


def test_a_wrong_key_has_the_direct_outcome(rig):
    assert rig.expect_failure(embed(), key="wrong-key")["error"] == "AuthenticationError"


def test_a_null_is_the_same_as_nothing(rig):
    """The SDK's nulls, then the same by hand without them."""
    asked = {"input": TEXTS, "model": "voyage-3.5", "truncation": True, "encoding_format": "base64"}
    keys = {"authorization": "Bearer pa-one"}
    rig.ask(rig.through, embed())
    with rig.counting() as calls:
        got = requests.post(f"{rig.through}/v1/embeddings", json=asked, headers=keys, timeout=20).json()
    assert calls == []
    assert got == requests.post(f"{rig.direct}/v1/embeddings", json=asked, headers=keys, timeout=20).json()


def test_only_new_texts_are_asked_for(rig):
    rig.ask(rig.through, embed())
    with rig.counting() as calls:
        got = rig.ask(rig.through, embed(texts=[*TEXTS, "new"]))
    assert [call.json["input"] for call in calls] in (["new"], [["new"]])
    assert got == rig.ask(rig.direct, embed(texts=[*TEXTS, "new"]))


def test_what_alters_a_vector_is_not_shared(rig):
    others = [{}, {"input_type": "query"}, {"input_type": "document"}, {"output_dimension": 16},
              {"output_dtype": "int8"}, {"truncation": False}, {"model": "voyage-4"}]
    with rig.counting() as calls:
        for more in others:
            rig.ask(rig.through, embed(**more))
    assert len(calls) == len(others)


def test_a_document_is_stored_as_a_whole(rig):
    rig.ask(rig.through, contextualized(["a", "b"]))
    with rig.counting() as calls:
        rig.ask(rig.through, contextualized(["a", "b"]))
        rig.ask(rig.through, contextualized(["a"]))
    assert [call.json["inputs"] for call in calls] == [[["a"]]]
