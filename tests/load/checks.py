"""What answers of the memory service must be, judged by what it has answered before.

A check raises Wrong with what is wrong; it knows nothing of how the answer came.
"""

# Scores are rounded to five places.
SAME_SCORE = 1.5e-5


class Wrong(Exception):
    """An answer that cannot be right."""


class Known:
    """What the answers so far say is stored, and how near what is to what."""

    def __init__(self):
        self._owners = {}
        self._texts = {}
        self._identities = {}
        self._scores = {}

    def of(self, user):
        """The identities that this user is known to have now."""
        return frozenset(self._identities.get(user, ()))

    def check_added(self, user, answer):
        """Each memory is new, or as it was."""
        if not answer["memories"]:
            raise Wrong("a message of one fact left nothing")
        for memory in answer["memories"]:
            self._check_memory(user, memory)

    def check_found(self, asked, answer):
        """For (user, query, limit, what was known before): the user's own, the nearest first, and enough of them."""
        user, query, limit, before = asked
        memories = answer["memories"]
        scores = [memory["score"] for memory in memories]
        if scores != sorted(scores, reverse=True):
            raise Wrong(f"not the nearest first: {scores}")
        if not min(limit, len(before)) <= len(memories) <= limit:
            raise Wrong(f"{len(memories)} found of {len(before)}, where {limit} were asked for")
        for memory in memories:
            self._check_memory(user, memory)
            score = self._scores.setdefault((query, memory["text"]), memory["score"])
            if abs(score - memory["score"]) > SAME_SCORE:
                raise Wrong(f"{memory['score']} near, and {score} before")

    def check_said(self, answer):
        if not answer["answer"].strip():
            raise Wrong("the model said nothing")

    def check_pages(self, asked, pages):
        """For (user, what was known before): all pages together are each memory once, newest first, none missing."""
        user, before = asked
        memories = [memory for page in pages for memory in page["memories"]]
        identities = [memory["id"] for memory in memories]
        if any(older >= newer for newer, older in zip(identities, identities[1:])):
            raise Wrong(f"not newest first: {identities}")
        missing = before - set(identities)
        if missing:
            raise Wrong(f"not on any page: {sorted(missing)}")
        for memory in memories:
            self._check_memory(user, memory)

    def _check_memory(self, user, memory):
        identity, text = memory["id"], memory["text"]
        if self._owners.setdefault(identity, user) != user:
            raise Wrong(f"memory {identity} of another user")
        if self._texts.setdefault(identity, text) != text:
            raise Wrong(f"memory {identity} has another text than before")
        self._identities.setdefault(user, set()).add(identity)
