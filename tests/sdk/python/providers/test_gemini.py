"""The official SDK of Gemini, by versions v1 and v1beta of the API (case 34 of providers.md)."""

import httpx
import pytest
from families.common import REFUSED
from google import genai
from google.genai import types

FAMILY = "gemini"
TEXTS = ["one", "two", "one", "caf\u00e9", "\N{GRINNING FACE} "]
EMBED = {"model": "gemini-embedding-001", "contents": TEXTS}
CHAT = {"model": "gemini-flash", "contents": "hello"}
WEATHER = types.FunctionDeclaration(name="weather", description="Weather of a place", parameters=types.Schema(
    type="OBJECT", properties={"place": types.Schema(type="STRING"), "days": types.Schema(type="INTEGER")}))
TOOLS = {"config": types.GenerateContentConfig(
    tools=[types.Tool(function_declarations=[WEATHER])],
    automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True))}


def client(kind, url, key="ge-one", version="v1beta"):
    options = types.HttpOptions(base_url=url, api_version=version, timeout=20_000)
    made = genai.Client(api_key=key, http_options=options)
    return made if kind == "sync" else made.aio


def embed(**more):
    return lambda made: made.models.embed_content(**{**EMBED, **more})


def generate(**more):
    return lambda made: made.models.generate_content(**{**CHAT, **more})


def stream(**more):
    return lambda made: made.models.generate_content_stream(**{**CHAT, **more})


def configured(**options):
    return {"config": types.EmbedContentConfig(**options)}


@pytest.mark.parametrize("version", ["v1", "v1beta"])
@pytest.mark.parametrize("more", [
    {}, {"contents": "one"}, {"model": "models/gemini-embedding-001"}, configured(task_type="RETRIEVAL_QUERY"),
    configured(task_type="RETRIEVAL_DOCUMENT", title="a title"), configured(output_dimensionality=16),
    {"contents": [f"text {index}" for index in range(100)]},
], ids=["list", "text", "prefix", "task", "title", "dimension", "100 texts"])
def test_embeddings_have_the_direct_outcome(rig, version, more):
    got = rig.expect_same(embed(**more), stored=True, version=version)["result"]
    assert got["embeddings"][0]["values"]


def test_several_parts_are_one_vector_as_directly(rig):
    """The newer models take a list as the parts of one content."""
    got = rig.expect_same(embed(model="gemini-embedding-2"), stored=True)["result"]
    assert len(got["embeddings"]) == 1


@pytest.mark.parametrize("contents", [["good", "bad __poison__"], [""], ["a", ""]],
                         ids=["poison", "empty", "empty among others"])
def test_odd_contents_have_the_direct_outcome(rig, contents):
    rig.expect_failure(embed(contents=contents))


def test_too_many_contents_have_the_direct_outcome(rig):
    """Unless larder splits them, which is better than the provider's refusal."""
    call = embed(contents=[f"text {index}" for index in range(101)])
    direct, through = rig.ask(rig.direct, call), rig.ask(rig.through, call)
    assert direct["error"] == "ClientError"
    assert through == direct or len(through["result"]["embeddings"]) == 101


@pytest.mark.parametrize("version", ["v1", "v1beta"])
@pytest.mark.parametrize("more", [
    {}, {"config": types.GenerateContentConfig(temperature=0.5)}, TOOLS,
], ids=["plain", "temperature", "tools"])
def test_content_has_the_direct_outcome(rig, version, more):
    got = rig.expect_same(generate(**more), version=version)["result"]
    assert got["candidates"][0]["finish_reason"] == "STOP"


@pytest.mark.parametrize("more", [{}, TOOLS], ids=["text", "tools"])
@pytest.mark.parametrize("model", ["gemini-flash", "split-stream", "no-end"])
def test_a_stream_has_the_direct_events(rig, model, more):
    got = rig.expect_same(stream(model=model, **more))
    assert "error" not in got and len(got["events"]) >= 6


@pytest.mark.parametrize("model", ["cut-stream", "cut-mid-frame", "error-mid-stream", "commented-stream"])
def test_an_odd_stream_has_the_direct_events_and_the_direct_end(rig, model):
    """The SDK itself does not take comments."""
    rig.expect_same(stream(model=model))


@pytest.mark.parametrize("ask", [embed, generate, stream], ids=["embed", "generate", "stream"])
@pytest.mark.parametrize("model", REFUSED)
def test_a_refusal_has_the_direct_outcome(rig, model, ask):
    rig.expect_failure(ask(model=model))


@pytest.mark.parametrize("ask", [embed, generate], ids=["embed", "generate"])
def test_a_wrong_key_has_the_direct_outcome(rig, ask):
    assert rig.expect_failure(ask(), key="wrong-key")["fact code"] == 401


def embed_one(url, headers=None, **query):
    """embedContent, by hand: the SDK only calls it for newer models."""
    path = f"{url}/v1beta/models/gemini-embedding-001:embedContent"
    body = {"content": {"parts": [{"text": "one"}], "role": "user"}}
    got = httpx.post(path, params=query, json=body, headers={"connection": "close", **(headers or {})})
    return got.status_code, got.json()


def test_a_key_in_the_query_has_the_direct_outcome(rig):
    for key in ("ge-one", "wrong-key"):
        direct = embed_one(rig.direct, key=key)
        assert [embed_one(rig.through, key=key) for _ in range(2)] == [direct] * 2
        assert direct[0] == (200 if key == "ge-one" else 401)


def test_one_content_and_a_batch_share_an_entry(rig):
    rig.ask(rig.through, embed())
    keys = {"x-goog-api-key": "ge-one"}
    with rig.counting() as calls:
        one = embed_one(rig.through, keys)
    assert calls == []
    assert one == embed_one(rig.direct, keys)


def test_only_new_contents_are_asked_for(rig):
    rig.ask(rig.through, embed())
    with rig.counting() as calls:
        got = rig.ask(rig.through, embed(contents=[*TEXTS, "new"]))
    assert len(calls) == 1 and b"new" in calls[0].body and b"two" not in calls[0].body
    assert got == rig.ask(rig.direct, embed(contents=[*TEXTS, "new"]))


def test_what_alters_a_vector_is_not_shared(rig):
    others = [{}, configured(task_type="RETRIEVAL_QUERY"), configured(title="t", task_type="RETRIEVAL_DOCUMENT"),
              configured(output_dimensionality=16), {"model": "gemini-embedding-exp"}]
    with rig.counting() as calls:
        for more in others:
            rig.ask(rig.through, embed(**more))
        rig.ask(rig.through, embed(), version="v1")
    assert len(calls) == len(others) + 1
