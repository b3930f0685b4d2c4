"""Drives the memory service of app/, or any OpenAI-compatible /v1/embeddings, and checks every answer.

    locust -f tests/load/locustfile.py MemoryUser ChatUser --host http://127.0.0.1:8000
    locust -f tests/load/locustfile.py EmbeddingsUser --host http://127.0.0.1:5273
"""

import os
import random

from locust import FastHttpUser, events, task

from checks import Known, Wrong
from replies import Replies
from schedule import CHATS, QUESTIONS, SEED, Zipf, chat_operations, memory_operations, question
from turns import Turns

LIMIT, PAGE = 5, 20
MODEL = "text-embedding-3-small"

known = Known()
replies = Replies()


class AppUser(FastHttpUser):
    """Takes operations from a schedule and does one after the other."""

    abstract = True
    host = "http://127.0.0.1:8000"
    # A connection that the service has closed meanwhile is no answer to check.
    network_timeout = connection_timeout = 60.0

    def on_start(self):
        self.turns.join()

    def on_stop(self):
        self.turns.leave(self.environment.runner)

    @task
    def operate(self):
        operation = self.turns.next()
        getattr(self, operation.kind)(operation)
        self.turns.done()

    def ask(self, name, request, check):
        """Makes a (method, path, body) request under this name, and checks the parsed answer."""
        method, path, body = request
        with self.client.request(method, path, json=body, name=name, catch_response=True) as response:
            if response.status_code not in (200, 201):
                response.failure(f"{response.status_code}: {(response.text or '')[:200]}")
                return None
            answer = response.json()
            try:
                check(answer)
            except (Wrong, KeyError, TypeError) as error:
                response.failure(f"wrong answer: {error!r}")
            self.note(name, response.headers.get("Server-Timing", ""))
            return answer

    def note(self, name, timing):
        """Shows the parts that the service tells of as rows of their own."""
        for part in filter(None, timing.split(", ")):
            kind, milliseconds = part.split(";dur=")
            self.environment.events.request.fire(
                request_type="part",
                name=f"{name}: {kind}",
                response_time=float(milliseconds),
                response_length=0,
                exception=None,
                context={},
            )


class MemoryUser(AppUser):
    """Adds, searches and lists memories."""

    weight = 2
    turns = Turns("memory", memory_operations, share=1)

    def add(self, operation):
        body = {"message": operation.text}
        path = f"/users/{operation.user}/memories"
        self.ask("add", ("POST", path, body), lambda answer: known.check_added(operation.user, answer))

    def search(self, operation):
        asked = (operation.user, operation.text, LIMIT, known.of(operation.user))
        body = {"query": operation.text, "limit": LIMIT}
        path = f"/users/{operation.user}/memories/search"
        self.ask("search", ("POST", path, body), lambda answer: known.check_found(asked, answer))

    def list(self, operation):
        """All pages, one after the other."""
        path = first = f"/users/{operation.user}/memories?limit={PAGE}"
        asked, pages = (operation.user, known.of(operation.user)), []

        def check(answer):
            pages.append(answer)
            if answer["next_cursor"] is None:
                known.check_pages(asked, pages)

        while path:
            answer = self.ask("list", ("GET", path, None), check)
            cursor = answer and answer["next_cursor"]
            path = cursor and f"{first}&cursor={cursor}"


class ChatUser(AppUser):
    """Talks to the model."""

    weight = 1
    turns = Turns("chat", chat_operations, share=CHATS)

    def chat(self, operation):
        asked = (operation.user, operation.text, LIMIT, known.of(operation.user))

        def check(answer):
            known.check_said(answer)
            known.check_found(asked, answer)

        path = f"/users/{operation.user}/chat"
        self.ask("chat", ("POST", path, {"message": operation.text}), check)


class EmbeddingsUser(FastHttpUser):
    """Asks for the vectors of texts that repeat by Zipf's law; the same text must have the same vector."""

    host = "http://127.0.0.1:5273"
    zipf = Zipf(QUESTIONS)
    chance = random.Random(SEED)

    @task
    def embed(self):
        text = question(self.zipf.draw(self.chance))
        body = {"model": MODEL, "input": text, "encoding_format": "base64"}
        headers = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', 'sk-load')}"}
        with self.client.post("/v1/embeddings", json=body, headers=headers, catch_response=True) as response:
            if response.status_code != 200:
                response.failure(f"{response.status_code}: {(response.text or '')[:200]}")
                return
            try:
                replies.check(text, response.json())
            except (ValueError, KeyError, TypeError) as error:
                response.failure(f"wrong answer: {error!r}")
            replies.count(response.headers.get("Cache-Status", ""))


@events.quitting.add_listener
def say(**_):
    summary = replies.summary()
    if summary:
        print(summary)
