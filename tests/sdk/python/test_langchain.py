"""langchain-openai: token arrays by default, and a scalar empty text on purpose (trap 6 and trap 1 of
providers.md). Its tokenizer's vocabulary has to be downloaded, so a stand-in takes its place: other
numbers, the same shape of request."""

import asyncio

import pytest
import tiktoken
from harness import Bench, exact
from langchain_openai import OpenAIEmbeddings

DOCUMENTS = ["one document", "another, longer document", "one document", "caf\u00e9 \N{GRINNING FACE}"]


class StandInTokenizer:
    """A token for each two bytes."""

    name = "stand-in"

    def encode(self, text, **_):
        data = text.encode("utf-8", "surrogatepass")
        return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]

    encode_ordinary = encode

    def encode_batch(self, texts, **_):
        return [self.encode(text) for text in texts]

    encode_ordinary_batch = encode_batch

    def decode(self, tokens):
        return b"".join(token.to_bytes(2, "big") for token in tokens).decode("utf-8", "replace")


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    monkeypatch.setattr(tiktoken, "encoding_for_model", lambda _: StandInTokenizer())
    monkeypatch.setattr(tiktoken, "get_encoding", lambda _: StandInTokenizer())


class Chain:
    """The same LangChain call, directly and through larder, by the sync or the async methods."""

    def __init__(self, bench, kind):
        self.bench, self.kind = bench, kind

    def embeddings(self, side, options):
        options = {"model": "text-embedding-3-small", "max_retries": 0, **options}
        return OpenAIEmbeddings(base_url=side.base_url, api_key="sk-chain", **options)

    def call(self, side, method, argument, options):
        made = self.embeddings(side, options)
        try:
            if self.kind == "async":
                return exact(asyncio.run(getattr(made, f"a{method}")(argument)))
            return exact(getattr(made, method)(argument))
        except Exception as failure:  # whatever an application would see
            return type(failure).__name__, str(failure)

    def expect_same(self, method, argument, *, stored=True, **options):
        bench = self.bench
        direct = self.call(bench.provider, method, argument, options)
        assert self.call(bench.larder, method, argument, options) == direct
        before = len(bench.provider.embeddings)
        assert self.call(bench.larder, method, argument, options) == direct
        assert (len(bench.provider.embeddings) == before) == stored
        return direct


@pytest.fixture(params=["sync", "async"])
def chain(request, provider, larder):
    return Chain(Bench(provider, larder, None), request.param)


def test_a_query_is_one_token_array_and_has_the_direct_outcome(chain):
    chain.expect_same("embed_query", "what is this?")
    (item,) = chain.bench.provider.embeddings[0].inputs
    assert item == tuple(StandInTokenizer().encode("what is this?"))


def test_documents_are_token_arrays_and_have_the_direct_outcome(chain):
    direct = chain.expect_same("embed_documents", DOCUMENTS)
    assert direct[0] == direct[2] != direct[1]
    assert all(isinstance(item, tuple) for item in chain.bench.provider.embeddings[0].inputs)


def test_many_documents_in_calls_of_a_thousand_have_the_direct_outcome(chain):
    chain.expect_same("embed_documents", [f"document {i}" for i in range(1200)])


def test_empty_documents_have_the_direct_outcome(chain):
    chain.expect_same("embed_documents", ["", "full", ""], stored=True)
    bodies = [call.json["input"] for call in chain.bench.provider.embeddings]
    assert "" in bodies, bodies


def test_a_document_longer_than_a_context_is_cut_by_langchain_and_has_the_direct_outcome(chain):
    chain.expect_same("embed_documents", ["word " * 50, "short"], embedding_ctx_length=32)


@pytest.mark.parametrize("method, argument", [("embed_query", "a text"), ("embed_documents", DOCUMENTS)])
def test_plain_texts_have_the_direct_outcome(chain, method, argument):
    chain.expect_same(method, argument, check_embedding_ctx_length=False)


def test_dimensions_have_the_direct_outcome(chain):
    chain.expect_same("embed_documents", DOCUMENTS, dimensions=5)


def test_a_refusal_has_the_direct_outcome(chain):
    chain.expect_same("embed_documents", DOCUMENTS, stored=False, model="fault-401")


def test_a_new_document_among_known_ones_is_the_only_one_to_go_upstream(chain):
    chain.call(chain.bench.larder, "embed_documents", DOCUMENTS, {})
    with chain.bench.provider_calls(1) as calls:
        got = chain.call(chain.bench.larder, "embed_documents", [*DOCUMENTS, "a new one"], {})
    assert calls[0].inputs == (tuple(StandInTokenizer().encode("a new one")),)
    assert got == chain.call(chain.bench.provider, "embed_documents", [*DOCUMENTS, "a new one"], {})
