"""The calls that one request makes to the model provider.

Each call opens a client of its own, so a connection of its own, and calls go one after the other. Where the
provider is, and the key for it, are the client's own affair: OPENAI_BASE_URL and OPENAI_API_KEY.
"""

import json
import time
from contextlib import contextmanager

import numpy as np
from openai import OpenAI, OpenAIError

CHAT_MODEL = "gpt-4o"
EXTRACTION_MODEL = "gpt-4o-mini"
EMBEDDING_MODEL = "text-embedding-3-small"
EMBEDDING_SIZE = 1536
MOST_FACTS = 20
# The client does not check what it reads: an answer of another shape shows as one of these.
UNUSABLE = (AttributeError, IndexError, TypeError, ValueError)

CHAT_PROMPT = "You are a helpful assistant. What you remember of the user, which may help:\n"
EXTRACTION_PROMPT = (
    "Extract the facts about the user that are worth remembering from the message. "
    'Answer with JSON only: {"facts": ["…"]}, each fact one short sentence.'
)


class ProviderError(Exception):
    """The provider failed, or answered what nobody can use."""


class Provider:
    """The provider, for one request; notes how long each kind of call took."""

    def __init__(self):
        self._took = {}

    def chat(self, message, memories):
        """What the model says to a message, knowing these memories."""
        remembered = "\n".join(f"- {memory}" for memory in memories) or "- nothing"
        messages = [_system(CHAT_PROMPT + remembered), _user(message)]
        with self._call("chat") as client:
            answer = client.chat.completions.create(model=CHAT_MODEL, messages=messages, temperature=0.7)
            return _text(answer)

    def extract(self, message):
        """The facts in a message; the message itself where the model does not answer with a list of facts."""
        messages = [_system(EXTRACTION_PROMPT), _user(message)]
        with self._call("extract") as client:
            answer = client.chat.completions.create(
                model=EXTRACTION_MODEL,
                messages=messages,
                temperature=0,
                response_format={"type": "json_object"},
            )
            facts = _facts(_text(answer))
        return [message] if facts is None else facts

    def embed(self, text):
        """The vector of a text, of length 1."""
        with self._call("embed") as client:
            answer = client.embeddings.create(model=EMBEDDING_MODEL, input=text)
            vectors = np.asarray([item.embedding for item in answer.data], dtype=np.float32)
        if vectors.shape != (1, EMBEDDING_SIZE):
            raise ProviderError(f"asked for one vector of {EMBEDDING_SIZE}, and got {vectors.shape}")
        vector, norm = vectors[0], np.linalg.norm(vectors[0])
        if not np.isfinite(norm) or norm == 0:
            raise ProviderError("the vector has no direction")
        return vector / norm

    def timing(self):
        """How long the calls took, as a Server-Timing header."""
        return ", ".join(f"{kind};dur={seconds * 1000:.1f}" for kind, seconds in self._took.items())

    @contextmanager
    def _call(self, kind):
        start = time.perf_counter()
        try:
            with OpenAI() as client:
                yield client
        except OpenAIError as error:
            raise ProviderError(str(error)) from error
        except UNUSABLE as error:
            raise ProviderError(f"the answer is not of the expected shape ({error})") from error
        finally:
            self._took[kind] = self._took.get(kind, 0.0) + time.perf_counter() - start


def _system(text):
    return {"role": "system", "content": text}


def _user(text):
    return {"role": "user", "content": text}


def _text(answer):
    text = answer.choices[0].message.content
    if not text:
        raise ProviderError("the answer has no text")
    return text


def _facts(text):
    """The facts in the model's answer; None where it is not what was asked for."""
    try:
        facts = json.loads(text)["facts"]
        "".join(facts).encode()  # a lone surrogate is not text
    except (ValueError, TypeError, KeyError):
        return None
    if not isinstance(facts, list):
        return None
    # In the model's order, each once.
    return list(dict.fromkeys(fact.strip() for fact in facts if fact.strip()))[:MOST_FACTS]
