"""Answers that larder gives itself, by a rule: every official SDK takes them for its provider's, whole and
streamed."""

import anthropic
import cohere
import ollama
import openai
import pytest
from google import genai
from google.genai import types
from mistralai.client import Mistral
from rig import config_of

TEXT = '{"facts": []} caf\u00e9'
RULE = f"\n[[rules]]\nname = \"made\"\nthen.answer = '{TEXT}'\n"
SAID = [{"role": "user", "content": "hello"}]


@pytest.fixture
def url(provider, start_larder):
    """Where larder is; the provider must hear nothing."""
    larder = start_larder(config_of(provider) + RULE)
    yield "http://{}:{}".format(*larder.address)
    assert provider.requests == []


@pytest.fixture
def made(url):
    with openai.OpenAI(base_url=f"{url}/v1", api_key="sk", max_retries=0) as client:
        yield client


def test_chat_completions(made):
    got = made.chat.completions.create(model="m", messages=SAID, n=2)
    assert [choice.message.content for choice in got.choices] == [TEXT, TEXT]
    assert (got.model, got.choices[0].finish_reason, got.usage.total_tokens) == ("m", "stop", 0)
    assert got.object == "chat.completion" and got.created > 1_700_000_000


@pytest.mark.parametrize("usage", [False, True])
def test_streamed_chat_completions(made, usage):
    options = {"include_usage": usage}
    chunks = list(made.chat.completions.create(model="m", messages=SAID, stream=True, stream_options=options))
    deltas = [choice for chunk in chunks for choice in chunk.choices]
    assert "".join(choice.delta.content or "" for choice in deltas) == TEXT
    assert deltas[0].delta.role == "assistant" and deltas[-1].finish_reason == "stop"
    assert (chunks[-1].usage is not None) == usage


def test_the_stream_helper_puts_a_chat_completion_together(made):
    with made.chat.completions.stream(model="m", messages=SAID) as stream:
        got = stream.get_final_completion()
    assert (got.choices[0].message.content, got.choices[0].finish_reason) == (TEXT, "stop")


def test_completions(made):
    got = made.completions.create(model="m", prompt="hello")
    assert (got.choices[0].text, got.choices[0].finish_reason, got.usage.total_tokens) == (TEXT, "stop", 0)
    chunks = list(made.completions.create(model="m", prompt="hello", stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks) == TEXT
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_responses(made):
    got = made.responses.create(model="m", input="hello", instructions="be brief")
    assert (got.output_text, got.status, got.instructions) == (TEXT, "completed", "be brief")
    assert (got.usage.total_tokens, got.usage.output_tokens_details.reasoning_tokens) == (0, 0)
    got.to_dict()


def test_streamed_responses(made):
    with made.responses.stream(model="m", input="hello") as stream:
        events = list(stream)
        got = stream.get_final_response()
    assert got.output_text == TEXT
    assert [event.sequence_number for event in events if hasattr(event, "sequence_number")] == list(range(9))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == TEXT


def test_messages(url):
    asked = {"model": "m", "max_tokens": 9, "messages": SAID}
    with anthropic.Anthropic(base_url=f"{url}/anthropic", api_key="sk", max_retries=0) as client:
        whole = client.messages.create(**asked)
        with client.messages.stream(**asked) as stream:
            texts = "".join(stream.text_stream)
            streamed = stream.get_final_message()
        events = list(client.messages.create(stream=True, **asked))
    for got in (whole, streamed):
        assert (got.content[0].text, got.stop_reason, got.model) == (TEXT, "end_turn", "m")
        assert (got.role, got.usage.input_tokens, got.usage.output_tokens) == ("assistant", 0, 0)
    assert texts == TEXT and events[-1].type == "message_stop"


def test_gemini(url):
    options = types.HttpOptions(base_url=f"{url}/gemini", timeout=20_000)
    client = genai.Client(api_key="ge-one", http_options=options)
    config = types.GenerateContentConfig(candidate_count=2)
    got = client.models.generate_content(model="m", contents="hello", config=config)
    assert [candidate.content.parts[0].text for candidate in got.candidates] == [TEXT, TEXT]
    assert (got.model_version, got.usage_metadata.total_token_count) == ("m", 0)
    chunks = list(client.models.generate_content_stream(model="m", contents="hello"))
    assert "".join(chunk.text or "" for chunk in chunks) == TEXT
    assert chunks[-1].candidates[0].finish_reason.value == "STOP"


def test_ollama(url):
    client = ollama.Client(host=f"{url}/ollama")
    got = client.chat(model="m", messages=SAID)
    assert (got.message.content, got.done, got.done_reason, got.eval_count) == (TEXT, True, "stop", 0)
    assert "".join(chunk.message.content for chunk in client.chat(model="m", messages=SAID, stream=True)) == TEXT
    assert client.generate(model="m", prompt="hello").response == TEXT
    chunks = list(client.generate(model="m", prompt="hello", stream=True))
    assert "".join(chunk.response for chunk in chunks) == TEXT and chunks[-1].done


def test_cohere_v2(url):
    client = cohere.ClientV2(api_key="co", base_url=f"{url}/cohere")
    got = client.chat(model="m", messages=SAID)
    assert (got.message.content[0].text, got.finish_reason, got.usage.tokens.input_tokens) == (TEXT, "COMPLETE", 0)
    events = list(client.chat_stream(model="m", messages=SAID))
    texts = [event.delta.message.content.text for event in events if event.type == "content-delta"]
    assert "".join(texts) == TEXT and events[-1].delta.finish_reason == "COMPLETE"


def test_cohere_v1(url):
    client = cohere.Client(api_key="co", base_url=f"{url}/cohere")
    got = client.chat(model="m", message="hello")
    assert (got.text, got.finish_reason) == (TEXT, "COMPLETE")
    events = list(client.chat_stream(model="m", message="hello"))
    assert "".join(event.text for event in events if event.event_type == "text-generation") == TEXT
    assert events[-1].event_type == "stream-end" and events[-1].response.text == TEXT


def test_mistral(url):
    with Mistral(api_key="mi", server_url=f"{url}/mistral") as client:
        got = client.chat.complete(model="m", messages=SAID)
        assert (got.choices[0].message.content, got.choices[0].finish_reason) == (TEXT, "stop")
        events = [event.data for event in client.chat.stream(model="m", messages=SAID)]
        assert "".join(event.choices[0].delta.content or "" for event in events) == TEXT
        code = client.fim.complete(model="m", prompt="def f(")
        assert code.choices[0].message.content == TEXT
