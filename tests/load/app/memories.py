"""The document store: what is remembered of each user, in SQLite.

Identities grow with each write and are never used again, so a page that begins below one holds the same
memories whatever is written meanwhile.
"""

import sqlite3
import threading
from typing import NamedTuple

SCHEMA = """
CREATE TABLE IF NOT EXISTS memories (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user TEXT NOT NULL,
    text TEXT NOT NULL,
    vector BLOB NOT NULL,
    UNIQUE (user, text)
)
"""
PAGE = "SELECT id, text FROM memories WHERE user = ? AND id < ? ORDER BY id DESC LIMIT ?"
NEWEST = 2**63 - 1


class Memory(NamedTuple):
    """One fact about a user."""

    id: int
    text: str


class Memories:
    """All users' memories. May be used from several threads; each call sees one state."""

    def __init__(self, path):
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._lock = threading.Lock()
        with self._lock, self._connection:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(SCHEMA)

    def add(self, user, facts):
        """Stores (text, vector) pairs, all or none. What was known already keeps its identity. Gives all of them
        as they stand, and the set of identities that are new."""
        with self._lock, self._connection:
            before = self._last()
            stored = [self._put(user, text, vector) for text, vector in facts]
        return stored, {memory.id for memory in stored if memory.id > before}

    def find(self, user, identities):
        """The texts of these memories, by identity; of those that are this user's."""
        marks = ", ".join("?" * len(identities))
        query = f"SELECT id, text FROM memories WHERE user = ? AND id IN ({marks})"
        with self._lock:
            return dict(self._connection.execute(query, (user, *identities)).fetchall())

    def page(self, user, limit, below=NEWEST):
        """The newest memories of those below an identity, newest first."""
        with self._lock:
            return [Memory(*row) for row in self._connection.execute(PAGE, (user, below, limit))]

    def vectors(self):
        """Every (user, identity, vector bytes), in the order in which they were stored."""
        with self._lock:
            return self._connection.execute("SELECT user, id, vector FROM memories ORDER BY id").fetchall()

    def close(self):
        self._connection.close()

    def _last(self):
        return self._connection.execute("SELECT coalesce(max(id), 0) FROM memories").fetchone()[0]

    def _put(self, user, text, vector):
        insert = "INSERT INTO memories (user, text, vector) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        self._connection.execute(insert, (user, text, vector))
        found = self._connection.execute("SELECT id FROM memories WHERE user = ? AND text = ?", (user, text))
        return Memory(found.fetchone()[0], text)
