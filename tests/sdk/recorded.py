"""What the scripted provider remembers of a request."""

import json
from dataclasses import dataclass
from urllib.parse import urlsplit

import answers


@dataclass(frozen=True)
class Recorded:
    """One request as it came; header names in lower case, the body without transfer coding."""

    method: str
    target: str
    headers: tuple
    body: bytes

    def header(self, name):
        return next((value for known, value in self.headers if known == name), None)

    @property
    def is_embedding(self):
        return self.method == "POST" and urlsplit(self.target).path.rstrip("/").endswith("/embeddings")

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def inputs(self):
        """The items of a request for embeddings."""
        return answers.read_question(self.body).items
