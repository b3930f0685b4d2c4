"""The table of tests/load/run: what was measured on both sides, and which goals are met.

    python verdict.py FOLDER COLD WARM

FOLDER has what locust recorded, and what providers and larder had counted before, after the cold part and
after the warm one. Ends with 1 where a goal is missed or an answer was wrong.
"""

import itertools
import json
import math
import os
import sys

from schedule import CHATS, chat_operations, embedded, memory_operations

SIDES = ("direct", "larder")


class Side:
    """What one side left in the folder."""

    def __init__(self, folder, name):
        self.cold, self.warm = (read(folder, f"{name}-{part}") for part in ("cold", "warm"))
        self._provider = [read(folder, f"{name}-provider-{moment}") for moment in ("before", "cold", "warm")]

    def percentile(self, name, percent):
        """Seconds that so many percent of the warm answers of this name took at the most."""
        took = sorted(self.warm["took"][name])
        return took[math.ceil(len(took) * percent / 100) - 1] / 1000

    def throughput(self):
        """Operations on memories per second."""
        span = self.warm["spans"]["memory"]
        return span["operations"] / span["seconds"]

    def counted(self, what):
        """How much the provider counted in the warm part."""
        before, after = self._provider[1:]
        # The question itself came over a connection.
        return after[what] - before[what] - (what == "connections")

    def failures(self):
        return self.cold["failures"] + self.warm["failures"]


def read(folder, name):
    with open(os.path.join(folder, f"{name}.json"), encoding="utf-8") as file:
        return json.load(file)


def hit_rate(folder):
    """The share of inputs that larder answered from its cache, in the warm part."""
    hits = inputs = 0
    for sign, moment in ((-1, "cold"), (1, "warm")):
        counts = [
            account["inputs"]
            for account in read(folder, f"larder-stats-{moment}")["accounts"]
            if account["operation"] == "embed"
        ]
        hits += sign * sum(count["hit"] for count in counts)
        inputs += sign * sum(sum(count.values()) for count in counts)
    return hits / inputs


def expected_hit_rate(cold, warm):
    """The same as a cache that forgets nothing would have it, from the schedule alone."""
    seen, hits = set(), 0
    for part in (slice(0, cold), slice(cold, cold + warm)):
        memory = itertools.islice(memory_operations(), part.start, part.stop)
        chats = itertools.islice(chat_operations(), int(part.start * CHATS), int(part.stop * CHATS))
        texts = embedded([*memory, *chats])
        hits = sum(text in seen or seen.add(text) is not None for text in texts)
    return hits / len(texts)


def rows(folder, counts):
    """(what, goal, directly, through larder, met or not or nothing)."""
    direct, larder = (Side(folder, name) for name in SIDES)
    rate, expected = hit_rate(folder), expected_hit_rate(*counts)
    yield "hit rate of embeddings", "> 80 %", "", f"{rate:.1%} (expected {expected:.1%})", rate > 0.8
    for percent in (50, 95):
        before, after = (side.percentile("search", percent) for side in (direct, larder))
        goal, met = "≥ 5 × better", before / after >= 5
        if percent == 95:
            yield "memory search p95", "< 500 ms", ms(before), ms(after), after < 0.5
        yield f"memory search p{percent}, ratio", goal, ms(before), f"{ms(after)} ({before / after:.1f} ×)", met
    for what, name, most in (("extraction", "add: extract", 1), ("chat", "chat", 2), ("memory add", "add", None)):
        before, after = (side.percentile(name, 95) for side in (direct, larder))
        goal, met = (f"< {most} s", after < most) if most else ("", None)
        yield f"{what} p95", goal, ms(before), ms(after), met
    before, after = direct.throughput(), larder.throughput()
    ratio = f"{after:.1f}/s ({after / before:.1f} ×)"
    yield "operations on memories", "≥ 3 ×", f"{before:.1f}/s", ratio, after / before >= 3
    for what, name in (("calls for embeddings", "embedding_requests"), ("calls for chat", "chat_requests")):
        yield what, "", direct.counted(name), larder.counted(name), None
    yield "connections to the provider", "", direct.counted("connections"), larder.counted("connections"), None
    wrong = [len(side.failures()) for side in (direct, larder)]
    yield "failed or wrong answers", "none", *wrong, not any(wrong)


def ms(seconds):
    return f"{seconds * 1000:.0f} ms"


def main():
    folder, *counts = sys.argv[1:]
    table = list(rows(folder, [int(count) for count in counts]))
    verdicts = {True: "met", False: "MISSED", None: ""}
    lines = [("warm", "goal", "directly", "through larder", "")]
    lines += [(*(str(cell) for cell in row[:4]), verdicts[row[4]]) for row in table]
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    for name in SIDES:
        for failure in Side(folder, name).failures()[:5]:
            print(f"{name}: {failure}")
    met = [row[4] for row in table if row[4] is not None]
    print(f"goals: {sum(met)} passed, {len(met) - sum(met)} failed")
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
