"""What no SDK shows: the bytes and headers of each family's answers, and calls that only curl makes."""

import httpx
import pytest
from rig import config_of

USER = [{"role": "user", "content": "hello"}]
VERSION = {"anthropic-version": "2023-06-01"}
GEMINI = "/gemini/v1beta/models/some-model"
CONTENT = {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}
# A path and a body for each call. Ollama streams where it is not told otherwise.
CALLS = {
    "anthropic": ("/anthropic/v1/messages", {"model": "some-model", "max_tokens": 9, "messages": USER}),
    "anthropic's stream": ("/anthropic/v1/messages",
                           {"model": "some-model", "max_tokens": 9, "messages": USER, "stream": True}),
    "anthropic's count": ("/anthropic/v1/messages/count_tokens", {"model": "some-model", "messages": USER}),
    "cohere's chat": ("/cohere/v2/chat", {"model": "some-model", "messages": USER}),
    "cohere's stream": ("/cohere/v2/chat", {"model": "some-model", "messages": USER, "stream": True}),
    "cohere's rerank": ("/cohere/v2/rerank", {"model": "some-model", "query": "q", "documents": ["a", "b"]}),
    "voyage's rerank": ("/voyage/v1/rerank", {"model": "some-model", "query": "q", "documents": ["a", "b"]}),
    "mistral's chat": ("/mistral/v1/chat/completions", {"model": "some-model", "messages": USER}),
    "mistral's stream": ("/mistral/v1/chat/completions", {"model": "some-model", "messages": USER, "stream": True}),
    "gemini": (f"{GEMINI}:generateContent", CONTENT),
    "gemini's stream": (f"{GEMINI}:streamGenerateContent?alt=sse", CONTENT),
    "ollama's chat": ("/ollama/api/chat", {"model": "some-model", "messages": USER}),
    "ollama's plain chat": ("/ollama/api/chat", {"model": "some-model", "messages": USER, "stream": False}),
    "ollama's generate": ("/ollama/api/generate", {"model": "some-model", "prompt": "hello"}),
    "openai under its name": ("/openai/v1/chat/completions", {"model": "some-model", "messages": USER}),
}
# Of one connection or one call, or larder's own.
OWN = {"date", "server", "connection", "transfer-encoding", "content-length", "cache-status", "server-timing", "age",
       "set-cookie", "x-request-id"}


@pytest.fixture
def ask(provider, start_larder):
    """The status, headers and bytes of a call: directly, or through larder."""
    larder = start_larder(config_of(provider))
    origins = {"direct": provider.origin, "through": "http://{}:{}".format(*larder.address)}

    def call(side, path, body=None, method="POST", headers=None):
        headers = {"authorization": "Bearer sk-one", "connection": "close", **VERSION, **(headers or {})}
        got = httpx.request(method, origins[side] + path, json=body, headers=headers)
        return got.status_code, {k: v for k, v in got.headers.items() if k not in OWN}, got.content

    def both(*asked, **more):
        direct = call("direct", *asked, **more)
        for _ in range(2):
            assert call("through", *asked, **more) == direct
        return direct

    return both


@pytest.mark.parametrize("name", CALLS)
def test_an_answer_has_the_direct_headers_and_bytes(ask, name):
    status, headers, body = ask(*CALLS[name])
    assert status == 200 and body
    stream = "stream" in name or name in ("ollama's chat", "ollama's generate")
    assert ("json" in headers["content-type"]) == (not stream or name.startswith("ollama"))


@pytest.mark.parametrize("name", CALLS)
def test_a_refusal_has_the_direct_headers_and_bytes(ask, name):
    path, body = CALLS[name]
    status, headers, _ = ask(path.replace("some-model", "fault-429-seconds"), {**body, "model": "fault-429-seconds"})
    assert (status, headers["retry-after"]) == (429, "7")


@pytest.mark.parametrize("method, path", [
    ("POST", "/anthropic/v1/complete"), ("GET", "/cohere/v1/models"), ("DELETE", "/voyage/v1/files/1"),
    ("GET", "/mistral/v1/models?page=2"), ("GET", "/gemini/v1beta/models"), ("GET", "/ollama/api/tags"),
    ("HEAD", "/ollama/api/tags"), ("GET", "/ollama/api/version"),
])
def test_another_call_has_the_direct_headers_and_bytes(ask, method, path):
    ask(path, method=method)


@pytest.mark.parametrize("body", [{"model": "some-model"}, {}, [], "text", None], ids=str)
@pytest.mark.parametrize("path", ["/anthropic/v1/messages", "/voyage/v1/embeddings", "/cohere/v2/embed"])
def test_a_body_that_is_no_question_has_the_direct_refusal(ask, path, body):
    assert ask(path, body)[0] == 400
