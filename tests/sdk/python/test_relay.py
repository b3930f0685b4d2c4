"""Everything that is not an embedding goes through as it is."""

import asyncio
import io

import pytest

CHAT = {"messages": [{"role": "user", "content": "hello"}]}


def raw(path, **asked):
    """A call by the dotted name of its method."""
    *places, method = path.split(".")

    def call(client):
        for place in places:
            client = getattr(client, place)
        return getattr(client.with_raw_response, method)(**asked)

    return call


@pytest.mark.parametrize("call", [
    raw("models.list"),
    raw("models.retrieve", model="gpt-4o-mini"),
    raw("models.retrieve", model="no-such-model"),
    raw("fine_tuning.jobs.list"),
    raw("chat.completions.create", model="gpt-4o-mini", **CHAT),
    raw("chat.completions.create", model="gpt-4o-mini", temperature=0, **CHAT),
], ids=["models", "model", "unknown model", "unknown path", "chat", "deterministic chat"])
def test_a_call_has_the_direct_outcome(bench, call):
    direct, first = bench.both(call)
    _, second = bench.both(call)
    assert direct.what == first.what == second.what
    assert direct.passed_on == first.passed_on


def test_an_upload_arrives_whole(bench):
    content = bytes(range(256)) * 4096

    def call(client):
        file = ("data.jsonl", io.BytesIO(content))
        return client.files.with_raw_response.create(file=file, purpose="batch")

    direct, through = bench.both(call)
    assert direct.what == through.what
    sent = [request.body for request in bench.provider.requests]
    assert len(sent) == 2 and all(content in body for body in sent)


def test_binary_content_comes_back_unchanged(bench):
    def content(base_url):
        got = bench.sdk.client(base_url).files.content("file-1")
        return (bench.sdk.run(got) if asyncio.iscoroutine(got) else got).content

    assert content(bench.provider.base_url) == content(bench.larder.base_url)


# --- streams, with the async client ---


async def stream(client, model, seen=lambda chunk: None):
    """The chunks of a streamed chat, and how it ended."""
    chunks = []
    try:
        async for chunk in await client.chat.completions.create(model=model, stream=True, **CHAT):
            chunks.append(chunk.model_dump())
            seen(chunk)
    except Exception as failure:  # whatever an application would see
        return chunks, type(failure).__name__
    return chunks, "end"


def streamed(bench, side, model, **more):
    return bench.sdk.run(stream(bench.sdk.client(side.base_url), model, **more))


@pytest.mark.parametrize("model", ["gpt-4o-mini", "cut-stream"])
def test_a_stream_has_the_direct_chunks_and_the_direct_end(make_bench, model):
    bench = make_bench()
    direct, through = (streamed(bench, side, model) for side in (bench.provider, bench.larder))
    assert through == direct
    assert (direct[1] == "end") == (model == "gpt-4o-mini")


def test_a_chunk_arrives_before_the_provider_has_finished(make_bench):
    """The provider's second chunk waits for the client to have the first one."""
    bench = make_bench()
    chunks, end = streamed(bench, bench.larder, "held-chat", seen=lambda _: bench.provider.gate.set())
    assert (len(chunks), end) == (8, "end")
    assert bench.provider.gate_opened
