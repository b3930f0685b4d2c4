"""What is asked of the memory service, as lists that a seed fixes: the same on every side and in every run.

Users, questions and common sayings are drawn by Zipf's law; other sayings are new each time.
"""

import itertools
import random
from typing import NamedTuple

SEED = 5273
EXPONENT = 1.1
USERS, QUESTIONS, SAYINGS = 40, 200, 100
MIX = {"search": 80, "add": 8, "list": 12}
# So many chats for each operation on memories.
CHATS = 1 / 20
# As mem0's own traffic has it: about 3 in 10 of the texts were there before.
NEW_SAYINGS = 0.7

PEOPLE = ["my sister", "the new neighbour", "our teacher", "my oldest friend", "the doctor", "my manager", "uncle Jan"]
DEEDS = ["recommended", "forgot", "baked", "repaired", "borrowed", "painted", "described", "ordered", "promised"]
THINGS = ["the blue bicycle", "a loaf of rye bread", "two tickets", "the garden fence", "a chess set", "green tea"]
PLACES = ["in Oslo", "at the lake", "behind the station", "on the train", "at work", "in the mountains", "by the sea"]
TIMES = ["last spring", "on Monday", "before the move", "in December", "after the concert", "years ago"]


class Operation(NamedTuple):
    """One thing that a user does."""

    kind: str
    user: str
    text: str


class Zipf:
    """Draws a rank below `count`, the k-th with weight 1 / k^EXPONENT."""

    def __init__(self, count):
        self._ranks = range(count)
        self._weights = list(itertools.accumulate((rank + 1) ** -EXPONENT for rank in self._ranks))

    def draw(self, chance):
        return chance.choices(self._ranks, cum_weights=self._weights)[0]


def memory_operations(seed=SEED):
    """Searches, additions and listings, without end."""
    chance = random.Random(f"memory {seed}")
    users, questions, sayings = Zipf(USERS), Zipf(QUESTIONS), Zipf(SAYINGS)
    new = itertools.count(SAYINGS)
    while True:
        kind = chance.choices(list(MIX), weights=MIX.values())[0]
        user = f"user-{users.draw(chance)}"
        text = ""
        if kind == "search":
            text = question(questions.draw(chance))
        elif kind == "add":
            is_new = chance.random() < NEW_SAYINGS
            text = saying(next(new) if is_new else sayings.draw(chance))
        yield Operation(kind, user, text)


def chat_operations(seed=SEED):
    """Messages to the model, without end."""
    chance = random.Random(f"chat {seed}")
    users, questions = Zipf(USERS), Zipf(QUESTIONS)
    while True:
        yield Operation("chat", f"user-{users.draw(chance)}", question(questions.draw(chance)))


def question(number):
    """The question of this number; no two are the same."""
    return f"What was it that {sentence(number)}?"


def saying(number):
    """The saying of this number; no two are the same."""
    return f"Remember that {sentence(number)}."


def sentence(number):
    """The number, spelt in phrases, and as a figure once these are used up."""
    parts = []
    for phrases in (PEOPLE, DEEDS, THINGS, PLACES, TIMES):
        number, digit = divmod(number, len(phrases))
        parts.append(phrases[digit])
    more = f", for the {number + 1}th time" if number else ""
    return " ".join(parts) + more


def embedded(operations):
    """The texts that these operations have embedded, by a model that extracts no facts of its own."""
    return [operation.text for operation in operations if operation.text]
