"""Does the memory service answer the same directly and through larder?

    python compare.py SERVICE,PROVIDER SERVICE,PROVIDER

The first pair is without larder, the second with it. Both get the same in the same order, so that both have
the same state throughout; every status and every body must be equal.
"""

import itertools
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import requests

from schedule import USERS, chat_operations, memory_operations, question

MEMORY_OPERATIONS, CHAT_OPERATIONS, CROWD = 90, 9, 24
DIRECT, LARDER = range(2)


class Pair:
    """Both sides; what is asked of one is asked of the other."""

    def __init__(self, sides):
        self._services, self._providers = zip(*(side.split(",") for side in sides))
        self._both = ThreadPoolExecutor(2)

    def same(self, method, path, body=None):
        """The (status, body) of both, which are equal."""
        direct, larder = self._both.map(lambda base: ask(base, (method, path, body)), self._services)
        assert direct == larder, f"{method} {path} {body}\n  directly: {direct}\n  larder:   {larder}"
        return larder

    def together(self, asked):
        """The same for many at once, side by side."""
        with ThreadPoolExecutor(len(asked)) as crowd:
            answers = [list(crowd.map(partial(ask, base), asked)) for base in self._services]
        assert answers[DIRECT] == answers[LARDER], "a crowd got other answers than directly"

    def fail(self, share):
        """Lets this share of the provider's calls fail from now on."""
        for base in self._providers:
            requests.post(f"{base}/__faults", json={"error_rate": share}, timeout=10).raise_for_status()

    def counted(self):
        """What larder's provider has counted."""
        return requests.get(f"{self._providers[LARDER]}/__stats", timeout=10).json()


def ask(base, request):
    method, path, body = request
    answer = requests.request(method, base + path, json=body, timeout=60)
    return answer.status_code, answer.json()


def request_of(operation):
    """The request that does an operation."""
    path = f"/users/{operation.user}"
    return {
        "add": ("POST", f"{path}/memories", {"message": operation.text}),
        "search": ("POST", f"{path}/memories/search", {"query": operation.text}),
        "chat": ("POST", f"{path}/chat", {"message": operation.text}),
        "list": ("GET", f"{path}/memories?limit=100", None),
    }[operation.kind]


def operations():
    """A chat after each ten operations on memories."""
    memory = itertools.islice(memory_operations(), MEMORY_OPERATIONS)
    chats = itertools.islice(chat_operations(), CHAT_OPERATIONS)
    for number, operation in enumerate(memory):
        yield operation
        if number % 10 == 9:
            yield next(chats)


def one_after_the_other(pair):
    for operation in operations():
        status, _ = pair.same(*request_of(operation))
        assert status in (200, 201), f"{operation}: {status}"


def at_once(pair):
    """New questions, some of them several times, and chats: what larder joins and batches."""
    asked = [("POST", f"/users/user-{n % 5}/memories/search", {"query": question(5000 + n // 3)}) for n in range(CROWD)]
    asked += [("POST", f"/users/user-{n}/chat", {"message": question(6000 + n)}) for n in range(4)]
    pair.together(asked)


def again_without_the_provider(pair):
    """State stands still now, so that these may be asked twice; the second time, larder has all the vectors."""
    asked = [request_of(operation) for operation in operations() if operation.kind == "search"]
    before = pair.counted()
    for one in asked:
        pair.same(*one)
    assert pair.counted()["embedding_requests"] == before["embedding_requests"], "the provider was asked again"


def refused(pair):
    """By the service, and by the provider."""
    assert pair.same("POST", "/users/user-0/memories", {"message": " "})[0] == 422
    assert pair.same("POST", "/users/user-0/memories/search", {"query": "__poison__"})[0] == 502
    assert pair.same("POST", "/users/user-0/memories", {"message": "__poison__"})[0] == 502


def out_of_order(pair):
    """A provider that fails leaves nothing half done, and nothing wrong in the cache."""
    pair.fail(1)
    assert pair.same("POST", "/users/user-0/memories", {"message": "said while it failed"})[0] == 502
    pair.fail(0)
    assert pair.same("POST", "/users/user-0/memories", {"message": "said while it failed"})[0] == 201


def all_state(pair):
    for number in range(USERS):
        cursor = ""
        while cursor is not None:
            _, page = pair.same("GET", f"/users/user-{number}/memories?limit=7{cursor}")
            cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"


def main():
    pair, failed = Pair(sys.argv[1:]), 0
    checks = (one_after_the_other, at_once, again_without_the_provider, refused, out_of_order, all_state)
    for check in checks:
        try:
            check(pair)
        except (AssertionError, requests.RequestException) as error:
            failed += 1
            print(f"{check.__name__}: {error}")
    print(f"same-answers: {len(checks) - failed} passed, {failed} failed")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
