"""The use cases of the memory service: add, search, chat, page. Knows nothing of HTTP."""

import base64
import binascii
import threading

import numpy as np

from index import Index
from memories import NEWEST, Memories

CHAT_MEMORIES = 5


class BadCursor(ValueError):
    """A cursor that this service never gave."""


class Service:
    """The documents, and the index over them, which is built anew at the start."""

    def __init__(self, path):
        self._memories = Memories(path)
        self._index = Index()
        self._writing = threading.Lock()
        for user, identity, vector in self._memories.vectors():
            self._index.add(user, identity, np.frombuffer(vector, dtype=np.float32))

    def add(self, user, message, provider):
        """Remembers the facts of a message. Nothing is stored before the provider has said everything."""
        vectors = {fact: provider.embed(fact) for fact in provider.extract(message)}
        # Whoever is told that a memory is known already must find it, too.
        with self._writing:
            stored, new = self._memories.add(user, [(fact, vector.tobytes()) for fact, vector in vectors.items()])
            for memory in stored:
                if memory.id in new:
                    self._index.add(user, memory.id, vectors[memory.text])
        return [memory._asdict() for memory in stored]

    def search(self, user, sought, provider):
        """The memories nearest to a (query, limit)."""
        query, limit = sought
        near = self._index.search(user, provider.embed(query), limit)
        texts = self._memories.find(user, [identity for identity, _ in near])
        return [{"id": identity, "text": texts[identity], "score": score} for identity, score in near]

    def chat(self, user, message, provider):
        """Answers a message, with the memories that are nearest to it."""
        memories = self.search(user, (message, CHAT_MEMORIES), provider)
        return {"answer": provider.chat(message, [memory["text"] for memory in memories]), "memories": memories}

    def page(self, user, limit, cursor):
        """So many memories, newest first, from where the page that gave this cursor ended."""
        below = NEWEST if cursor is None else read_cursor(cursor)
        found = self._memories.page(user, limit + 1, below)
        page, more = found[:limit], len(found) > limit
        following = write_cursor(page[-1].id) if more else None
        return {"memories": [memory._asdict() for memory in page], "next_cursor": following}

    def close(self):
        self._memories.close()


def write_cursor(identity):
    return base64.urlsafe_b64encode(str(identity).encode()).decode()


def read_cursor(cursor):
    try:
        below = int(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        below = 0
    if not 0 < below <= NEWEST:
        raise BadCursor("cursor: it is not one that this service gave")
    return below
