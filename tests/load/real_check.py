"""What larder makes of a real model: python real_check.py PROVIDER LARDER, both as HOST:PORT.

Each vector through larder is held against the provider's own: new ones by their cosine, since a model that
computes several texts together differs in the last bits, and repeats bit for bit against what was first given.
Prints a table and the checks; ends with 1 where one fails.
"""

import base64
import json
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import numpy

from schedule import question, saying

ALONE, LIST, CROWD = 60, 32, 32
# What sentence-transformers computes for a sentence of its documentation.
KNOWN = "This is an example sentence", (0.0677, 0.0635, 0.0487, 0.0793, 0.0374)


class Side:
    """A server, asked over one connection for each thread."""

    def __init__(self, address):
        self._address, self._own = address, threading.local()

    def ask(self, texts, encoding="base64"):
        """The vectors, and how long they took in seconds."""
        body = json.dumps({"model": "all-MiniLM-L6-v2", "input": texts, "encoding_format": encoding})
        started = time.perf_counter()
        answer = self._send("POST", "/v1/embeddings", body)
        took = time.perf_counter() - started
        return numpy.array([numbers(item["embedding"]) for item in answer["data"]]), took

    def counted(self):
        return self._send("GET", "/__stats")

    def _send(self, method, path, body=None):
        if not hasattr(self._own, "connection"):
            self._own.connection = HTTPConnection(self._address, timeout=60)
        connection = self._own.connection
        connection.request(method, path, body, {"authorization": "Bearer sk-real", "content-type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, f"{answer.status}: {text[:300]}"
        return json.loads(text)


class Report:
    """Rows of the table, and what did not hold."""

    def __init__(self, provider):
        self._provider, self._before = provider, provider.counted()
        self._rows = [("what", "median", "slowest", "calls", "inputs")]
        self.passed = self.failed = 0

    def counted(self):
        """How many calls and inputs have reached the provider since this was last asked."""
        now = self._provider.counted()
        counted = tuple(now[name] - self._before[name] for name in ("calls", "inputs"))
        self._before = now
        return counted

    def row(self, what, took, counted):
        self._rows.append((what, ms(statistics.median(took)), ms(max(took)), *map(str, counted)))

    def check(self, what, holds):
        self.passed += bool(holds)
        self.failed += not holds
        print(f"{'ok    ' if holds else 'FAILED'}  {what}")

    def show(self):
        widths = [max(len(row[column]) for row in self._rows) for column in range(5)]
        for row in self._rows:
            cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
            print("  ".join(cells))


def numbers(embedding):
    if isinstance(embedding, str):
        return numpy.frombuffer(base64.b64decode(embedding), "<f4")
    return numpy.array(embedding, dtype="<f4")


def ms(seconds):
    return f"{seconds * 1000:.2f} ms"


def alike(one, other):
    """Whether all vectors are the same but for rounding."""
    return one.shape == other.shape and bool(((one * other).sum(axis=1) > 1 - 1e-6).all())


def same(one, other):
    """Whether all vectors are the same to the last bit."""
    return one.shape == other.shape and bool((one == other).all())


def one_by_one(provider, larder, report):
    # By turns, so that what else the machine does meets both alike.
    texts, direct, first = [question(number) for number in range(ALONE)], [], []
    for text in texts:
        direct.append(provider.ask([text]))
        first.append(larder.ask([text]))
    calls, inputs = report.counted()
    again = [larder.ask([text]) for text in texts]
    repeated = report.counted()
    for what, answers, counted in (
        ("directly, one text", direct, (ALONE, ALONE)),
        ("through larder, new", first, (calls - ALONE, inputs - ALONE)),
        ("through larder, again", again, repeated),
    ):
        report.row(what, [took for _, took in answers], counted)
    faster = statistics.median(took for _, took in direct) / statistics.median(took for _, took in again)
    direct, first, again = ([vectors for vectors, _ in answers] for answers in (direct, first, again))
    report.check("a new text's vector is the provider's", all(map(alike, direct, first)))
    report.check("a repeat is what was first given, bit for bit", all(map(same, first, again)))
    report.check("each new text was one call, and no repeat was any", (calls, repeated) == (2 * ALONE, (0, 0)))
    report.check(f"a repeat is {faster:.0f} times as fast as the model", faster >= 5)
    floats, _ = larder.ask(texts[:5], "float")
    report.check("and so are floats of what came as base64", same(floats, numpy.concatenate(first[:5])))


def lists(provider, larder, report):
    texts = [saying(number) for number in range(LIST)]
    direct, took = provider.ask(texts)
    report.row(f"directly, a list of {LIST}", [took], report.counted())
    first, took = larder.ask(texts)
    report.row("through larder, a new list", [took], report.counted())
    report.check("a new list's vectors are the provider's", alike(direct, first))
    known, new = texts[::2], [saying(LIST + number) for number in range(LIST // 2)]
    vectors, took = larder.ask(known + new)
    asked = report.counted()
    report.row("through larder, half of it known", [took], asked)
    report.check("of a list that is half known, half is asked for", asked == (1, len(new)))
    report.check("the known half is what was first given", same(vectors[: len(known)], first[::2]))
    report.check("the new half is the provider's", alike(vectors[len(known) :], provider.ask(new)[0]))


def crowd(provider, larder, report):
    texts = [question(1000 + number) for number in range(CROWD)]
    with ThreadPoolExecutor(CROWD) as clients:
        direct = list(clients.map(lambda text: provider.ask([text]), texts))
        before = report.counted()
        batched = list(clients.map(lambda text: larder.ask([text]), texts))
        after = report.counted()
    for what, answers, counted in (
        (f"directly, {CROWD} clients at once", direct, before),
        ("through larder, the same", batched, after),
    ):
        report.row(what, [took for _, took in answers], counted)
    right = all(alike(one, other) for (one, _), (other, _) in zip(direct, batched))
    report.check("vectors of different clients in one call are the provider's", right)
    report.check(f"{CROWD} clients are {after[0]} calls, not {before[0]}", after[0] <= CROWD // 4)
    report.check("and no text is asked for twice", after[1] == CROWD)


def main():
    provider, larder = (Side(address) for address in sys.argv[1:3])
    text, expected = KNOWN
    known, _ = provider.ask([text])
    report = Report(provider)
    report.check("the model is the model", numpy.allclose(known[0][: len(expected)], expected, atol=1e-4))
    for part in (one_by_one, lists, crowd):
        report.counted()
        part(provider, larder, report)
    print()
    report.show()
    print(f"real-model: {report.passed} passed, {report.failed} failed")
    return min(report.failed, 1)


if __name__ == "__main__":
    sys.exit(main())
