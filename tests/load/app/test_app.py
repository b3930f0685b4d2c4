"""The memory service against a provider that can fail: what it promises its users."""

import json
import threading

import pytest
from fastapi.testclient import TestClient

from app import create_app
from fake_provider import FakeProvider


@pytest.fixture
def provider(monkeypatch):
    fake = FakeProvider()
    monkeypatch.setenv("OPENAI_BASE_URL", fake.base_url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    yield fake
    fake.stop()


@pytest.fixture
def service(provider, tmp_path, monkeypatch):
    monkeypatch.setenv("MEMORIES", str(tmp_path / "memories.sqlite3"))
    with TestClient(create_app()) as client:
        yield client


def add(service, user, message):
    answer = service.post(f"/users/{user}/memories", json={"message": message})
    assert answer.status_code == 201, answer.text
    return answer.json()["memories"]


def search(service, user, query, limit=5):
    answer = service.post(f"/users/{user}/memories/search", json={"query": query, "limit": limit})
    assert answer.status_code == 200, answer.text
    return answer.json()["memories"]


def page(service, user, limit=100, cursor=None):
    asked = {"limit": limit} if cursor is None else {"limit": limit, "cursor": cursor}
    answer = service.get(f"/users/{user}/memories", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def walk(service, user, limit):
    """The texts of all pages, one after the other."""
    cursor = None
    while True:
        got = page(service, user, limit, cursor)
        yield from (memory["text"] for memory in got["memories"])
        cursor = got["next_cursor"]
        if cursor is None:
            return


def test_the_nearest_memory_comes_first(service):
    for message in ("my dog is called Rex", "i drink green tea", "i live in Oslo"):
        add(service, "ann", message)
    found = search(service, "ann", "tea i drink", limit=2)
    assert found[0]["text"] == "i drink green tea"
    assert found[0]["score"] > found[1]["score"]
    assert len(found) == 2


def test_users_do_not_see_each_other(service, provider):
    add(service, "ann", "i drink green tea")
    add(service, "bob", "i drink black coffee")
    assert [memory["text"] for memory in search(service, "bob", "i drink green tea")] == ["i drink black coffee"]
    assert list(walk(service, "bob", 10)) == ["i drink black coffee"]
    assert search(service, "eve", "i drink green tea") == []
    chat = service.post("/users/bob/chat", json={"message": "green tea"}).json()
    assert [memory["text"] for memory in chat["memories"]] == ["i drink black coffee"]
    assert "green tea" not in json.dumps(provider.calls[-1][1]["messages"][0])


def test_a_message_becomes_its_facts(service, provider):
    provider.says = '{"facts": ["has a dog", " drinks tea ", "has a dog", ""]}'
    memories = add(service, "ann", "i drink tea with my dog")
    assert [memory["text"] for memory in memories] == ["has a dog", "drinks tea"]
    asked = [body["input"] for path, body in provider.calls if path.endswith("/embeddings")]
    assert asked == ["has a dog", "drinks tea"]


def test_a_message_without_facts_stores_nothing(service, provider):
    provider.says = '{"facts": []}'
    assert add(service, "ann", "hello") == []
    assert page(service, "ann")["memories"] == []


NOT_FACTS = [
    "bread and salt",
    "[]",
    '{"facts": "tea"}',
    '{"facts": [1]}',
    '{"facts": ["\\ud800"]}',
    '{"fact": ["tea"]}',
]


@pytest.mark.parametrize("said", [*NOT_FACTS, "null", '{"facts": {"a": 1}}'])
def test_where_the_model_gives_no_facts_the_message_is_the_fact(service, provider, said):
    provider.says = said
    assert [memory["text"] for memory in add(service, "ann", "i drink tea")] == ["i drink tea"]


def test_what_is_known_is_not_stored_twice(service):
    first, again = add(service, "ann", "i drink tea"), add(service, "ann", "i drink tea")
    assert first == again
    assert len(search(service, "ann", "tea")) == 1
    assert add(service, "bob", "i drink tea") != first


def test_pages_hold_while_others_write(service):
    before = [add(service, "ann", f"fact {number}")[0]["text"] for number in range(7)]
    seen = []
    for number, text in enumerate(walk(service, "ann", 2)):
        seen.append(text)
        add(service, "ann", f"later {number}")
        add(service, "bob", f"other {number}")
    assert seen == before[::-1]


def test_pages_hold_while_several_write_at_once(service):
    before = [add(service, "ann", f"fact {number}")[0]["text"] for number in range(5)]
    writers = [
        threading.Thread(target=lambda name=name: [add(service, "ann", f"{name} {n}") for n in range(5)])
        for name in ("one", "two", "three")
    ]
    for writer in writers:
        writer.start()
    seen = list(walk(service, "ann", 2))
    for writer in writers:
        writer.join()
    assert len(set(seen)) == len(seen)
    assert [text for text in seen if text in before] == before[::-1]
    assert len(list(walk(service, "ann", 3))) == 20


def test_a_provider_that_fails_midway_stores_nothing(service, provider):
    provider.says = '{"facts": ["has a dog", "drinks tea"]}'
    for good in range(3):
        provider.good_calls = len(provider.calls) + good
        answer = service.post("/users/ann/memories", json={"message": "i drink tea with my dog"})
        assert answer.status_code == 502
        assert "out of order" in answer.json()["detail"]
    provider.good_calls = float("inf")
    assert page(service, "ann")["memories"] == []
    assert search(service, "ann", "tea") == []
    assert len(add(service, "ann", "i drink tea with my dog")) == 2


def test_a_provider_that_fails_is_a_502_everywhere(service, provider):
    provider.good_calls = 0
    assert service.post("/users/ann/memories/search", json={"query": "tea"}).status_code == 502
    assert service.post("/users/ann/chat", json={"message": "tea"}).status_code == 502
    provider.good_calls = len(provider.calls) + 1
    assert service.post("/users/ann/chat", json={"message": "tea"}).status_code == 502


@pytest.mark.parametrize("html", ["<html>busy</html>", ""])
def test_a_provider_that_answers_with_a_web_page_is_a_502(service, provider, html):
    provider.page = html
    for path, body in (("memories", {"message": "x"}), ("memories/search", {"query": "x"}), ("chat", {"message": "x"})):
        answer = service.post(f"/users/ann/{path}", json=body)
        assert answer.status_code == 502, answer.text
    assert page(service, "ann")["memories"] == []


def test_a_restart_finds_what_was_stored(service, tmp_path):
    add(service, "ann", "i drink tea")
    with TestClient(create_app()) as again:
        assert search(again, "ann", "tea")[0]["text"] == "i drink tea"
        assert list(walk(again, "ann", 1)) == ["i drink tea"]


BAD = [
    ("/users/ann/memories", {}),
    ("/users/ann/memories", {"message": "  "}),
    ("/users/ann/memories", {"message": "x" * 4001}),
    ("/users/ann/memories", {"message": "x", "more": 1}),
    ("/users/a%20b/memories", {"message": "x"}),
    ("/users/ann/memories/search", {"query": "x", "limit": 0}),
    ("/users/ann/memories/search", {"query": 7}),
    ("/users/ann/chat", {"message": "\ud800"}),
]


@pytest.mark.parametrize(("path", "body"), BAD)
def test_bad_input_never_reaches_the_provider(service, provider, path, body):
    answer = service.post(path, content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert provider.calls == []


@pytest.mark.parametrize("cursor", ["zz", "LTE=", "MA==", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "é"])
def test_a_cursor_that_was_never_given_is_refused(service, cursor):
    answer = service.get("/users/ann/memories", params={"cursor": cursor})
    assert answer.status_code == 422
    assert "cursor" in answer.text
