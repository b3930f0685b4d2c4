"""Voyage: embeddings, contextualized embeddings and rerank."""

import base64
import struct

from answers import Answer, to_json, tokens
from families.common import floats, refuse, refused, vector, without, words


def say(status):
    return {"detail": f"scripted {status}"}


def answer(call):
    if call.method != "POST" or call.path not in ANSWERS:
        raise refused(404, say(404))
    question = call.question(say, "model")
    refuse(call, question["model"], question, say)
    return Answer(200, to_json(ANSWERS[call.path](question)))


def _written(question, asked, text):
    """In the element type that was asked for; base64 is of elements of that type."""
    size = question.get("output_dimension") or 8
    kind = question.get("output_dtype") or "float"
    if kind == "float":
        plain, code = floats(asked, size, text), "f"
    else:
        low, code = (0, "B") if kind in ("uint8", "ubinary") else (-128, "b")
        count = size // 8 if kind.endswith("binary") else size
        plain = [int(abs(component) * 255) + low for component in vector(asked, size, text)[:count]]
    if question.get("encoding_format") != "base64":
        return plain
    exact = vector(asked, size, text) if code == "f" else plain
    return base64.b64encode(struct.pack(f"<{len(exact)}{code}", *exact)).decode()


def _asked(question):
    """`null` is the same as nothing at all, and truncation is on unless told otherwise."""
    return without({"truncation": True, **without(question)}, "input", "inputs", "encoding_format")


def _listed(question, texts, context=None):
    asked = [_asked(question), context]
    return {"object": "list", "data": [
        {"object": "embedding", "embedding": _written(question, asked, text), "index": index}
        for index, text in enumerate(texts)
    ]}


def _embeddings(question):
    texts = question.get("input") or []
    texts = texts if isinstance(texts, list) else [texts]
    if not all(texts) or not 0 < len(texts) <= 1000:
        raise refused(400, {"detail": "The inputs must be 1 to 1000 texts that are not empty."})
    usage = {"total_tokens": sum(map(tokens, texts))}
    return {**_listed(question, texts), "model": question["model"], "usage": usage}


def _contextualized(question):
    """The chunks of a document see each other, so each vector depends on all of them."""
    documents = [{**_listed(question, chunks, context=chunks), "index": index}
                 for index, chunks in enumerate(question["inputs"])]
    usage = {"total_tokens": sum(tokens(chunk) for chunks in question["inputs"] for chunk in chunks)}
    return {"object": "list", "data": documents, "model": question["model"], "usage": usage}


def _rerank(question):
    scores = [int(words(without(question, "documents"), text)[0], 16) / 2**24 for text in question["documents"]]
    order = sorted(range(len(scores)), key=lambda index: -scores[index])[: question.get("top_k")]
    data = [{"index": index, "relevance_score": scores[index]} for index in order]
    return {"object": "list", "data": data, "model": question["model"], "usage": {"total_tokens": len(scores)}}


ANSWERS = {
    "/v1/embeddings": _embeddings,
    "/v1/contextualizedembeddings": _contextualized,
    "/v1/rerank": _rerank,
}
