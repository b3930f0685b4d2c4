"""The blocks of code in the documents, and the exceptions from the tests."""

import dataclasses
import pathlib
import re
import tomllib

from tree import documents, name

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S)
# A block without a language: a program's output, or a diagram.
OUTPUT = ""
LANGUAGES = {OUTPUT, "js", "python", "rust", "sh", "toml", "yaml"}


@dataclasses.dataclass(frozen=True)
class Block:
    """A block of code: its place, its language, its text."""

    document: pathlib.Path
    line: int
    language: str
    text: str

    def __str__(self):
        return f"{name(self.document)}:{self.line}"

    def begins(self):
        return self.text.splitlines()[0].strip()


def every():
    """Yields the blocks of all documents, in order."""
    for document in documents():
        said = document.read_text()
        for found in FENCE.finditer(said):
            text = re.sub(f"^{found['indent']}", "", found["text"], flags=re.M)
            yield Block(document, said.count("\n", 0, found.start()) + 1, found["language"], text)


class Exceptions:
    """exceptions.toml: blocks that are not run, and commands that are replaced by stubs."""

    def __init__(self):
        said = tomllib.loads((pathlib.Path(__file__).parent / "exceptions.toml").read_text())
        self.left_out = said.get("left_out", [])
        self.stubs = said.get("stubs", {})

    def reason(self, block):
        """The reason for not running a block, if there is one."""
        for entry in self.left_out:
            if entry["file"] == name(block.document) and entry["begins"] == block.begins():
                return entry["because"]
        return None
