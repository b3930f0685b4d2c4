"""Answers with embeddings: is a text's vector the one it had before, and did it come from a cache."""

import base64
import hashlib
import re
from collections import Counter

OUTCOME = re.compile(r"; *(hit|collapsed|fwd=[a-z-]+)")


class Replies:
    """The first vector of each text, as a digest, and what `Cache-Status` said."""

    def __init__(self):
        self._vectors = {}
        self._outcomes = Counter()

    def check(self, text, answer):
        """Raises ValueError where this is not one vector, or not the text's first one."""
        (item,) = answer["data"]
        numbers = base64.b64decode(item["embedding"], validate=True)
        if not numbers or len(numbers) % 4:
            raise ValueError(f"a vector of {len(numbers)} bytes")
        digest = hashlib.sha256(numbers).digest()
        if self._vectors.setdefault(text, digest) != digest:
            raise ValueError("another vector than the first one for this text")

    def count(self, cache_status):
        """Counts an answer by what its `Cache-Status` says; `collapsed` goes before the miss it came with."""
        said = OUTCOME.findall(cache_status)
        outcome = "collapsed" if "collapsed" in said else said[0] if said else "no Cache-Status"
        self._outcomes[outcome] += 1

    def summary(self):
        """One line; nothing where nothing was counted."""
        total = self._outcomes.total()
        if not total:
            return ""
        hits = self._outcomes["hit"]
        counts = ", ".join(f"{outcome} {count}" for outcome, count in self._outcomes.most_common())
        return f"Cache-Status: hit rate {hits / total:.1%} of {total} answers, {len(self._vectors)} texts ({counts})"
