"""The vector index: which of a user's memories are nearest to a vector. In memory, exact."""

import threading

import numpy as np


class Index:
    """Vectors of length 1 by user. May be used from several threads."""

    def __init__(self):
        self._users = {}
        self._lock = threading.Lock()

    def add(self, user, identity, vector):
        with self._lock:
            identities, vectors = self._users.get(user, ([], None))
            # New objects: a search that is under way goes on with the old ones.
            grown = vector[np.newaxis] if vectors is None else np.vstack([vectors, vector])
            self._users[user] = ([*identities, identity], grown)

    def search(self, user, vector, most):
        """The (identity, cosine) of the nearest, nearest first; of equally near ones the older first."""
        with self._lock:
            identities, vectors = self._users.get(user, ([], None))
        if vectors is None:
            return []
        # Rounded before it is sorted: the last bits depend on how many rows were multiplied at once.
        cosines = np.round((vectors @ vector).astype(np.float64), 5)
        order = sorted(range(len(identities)), key=lambda row: (-cosines[row], identities[row]))
        return [(identities[row], float(cosines[row])) for row in order[:most]]
