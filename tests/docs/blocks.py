"""The blocks of code in a document, and which of them are left out of the tests."""

import dataclasses
import pathlib
import re
import tomllib

from tree import documents, name

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S)
# What a block without a language is: something that a program said, or a picture.
OUTPUT = ""
LANGUAGES = {OUTPUT, "js", "python", "rust", "sh", "toml", "yaml"}


@dataclasses.dataclass(frozen=True)
class Block:
    """One of them: where it is, what it is in, what it says."""

    document: pathlib.Path
    line: int
    language: str
    text: str

    def __str__(self):
        return f"{name(self.document)}:{self.line}"

    def begins(self):
        return self.text.splitlines()[0].strip()


def every():
    """Of all documents, in order."""
    for document in documents():
        said = document.read_text()
        for found in FENCE.finditer(said):
            text = re.sub(f"^{found['indent']}", "", found["text"], flags=re.M)
            yield Block(document, said.count("\n", 0, found.start()) + 1, found["language"], text)


class Exceptions:
    """What exceptions.toml says: blocks that are not run, and commands that stand for others."""

    def __init__(self):
        said = tomllib.loads((pathlib.Path(__file__).parent / "exceptions.toml").read_text())
        self.left_out = said.get("left_out", [])
        self.stubs = said.get("stubs", {})

    def reason(self, block):
        """Why a block is not run, if it is not."""
        for entry in self.left_out:
            if entry["file"] == name(block.document) and entry["begins"] == block.begins():
                return entry["because"]
        return None
