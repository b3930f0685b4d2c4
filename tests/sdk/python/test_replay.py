"""What the openai SDK asked is recorded once, and replayed to it without a provider."""

import openai
import pytest
from harness import MODEL, pure
from outcome import exact

CHAT = {"model": "gpt-4o-mini", "temperature": 0.7, "messages": [{"role": "user", "content": "hello"}]}
NOBODY = "http://127.0.0.1:1/v1"


def config(folder, mode):
    return f'[server]\nmode = "{mode}"\nrecordings = "{folder}"\n'


def work(client):
    """What a test of an application asks: vectors, words, words that stream, and a list."""
    vectors = client.embeddings.create(model=MODEL, input=["one", "two", "three"])
    plain = client.chat.completions.create(**CHAT)
    streamed = list(client.chat.completions.create(**CHAT, stream=True))
    said = [plain, *streamed, client.models.list()]
    return [item.embedding for item in vectors.data], [one.model_dump(warnings=False) for one in said]


@pytest.fixture
def recorded(start_larder, tmp_path):
    larder = start_larder(config(tmp_path, "record"))
    with openai.OpenAI(base_url=larder.base_url, api_key="sk-recorded-with-this-key") as client:
        seen = work(client)
    larder.stop()
    return seen


@pytest.fixture
def replay(recorded, provider, start_larder, tmp_path):
    larder = start_larder(config(tmp_path, "replay") + f'[providers.openai]\nbase_url = "{NOBODY}"\n')
    provider.reset()
    with openai.OpenAI(base_url=larder.base_url, api_key="none") as client:
        yield client
    assert provider.embeddings == []


def test_the_sdk_sees_the_same(recorded, replay):
    assert work(replay) == recorded
    assert work(replay) == recorded


def test_vectors_are_found_in_other_lists_and_forms(replay):
    for items in (["three"], ["two", "one"], ["one", "one", "two", "three"]):
        got = replay.embeddings.create(model=MODEL, input=items)
        assert [exact(item.embedding) for item in got.data] == pure(*items)
    got = replay.embeddings.create(model=MODEL, input="two", encoding_format="float")
    assert [exact(item.embedding) for item in got.data] == pure("two", encoding="float")


def test_what_was_not_recorded_is_an_error_at_once(replay):
    with pytest.raises(openai.NotFoundError) as failure:
        replay.chat.completions.create(**{**CHAT, "messages": [{"role": "user", "content": "something else"}]})
    assert failure.value.code == "not_recorded"
    assert "something else" not in str(failure.value)


def test_no_key_and_no_prompt_is_in_the_files(recorded, tmp_path):
    files = [file.read_text() for file in tmp_path.rglob("*.json")]
    assert len(files) == 6
    assert not [file for file in files if "sk-recorded" in file or "hello" in file.split('"text"')[0]]
