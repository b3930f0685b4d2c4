#!/usr/bin/env python3
"""Writes the licences of the crates that larder is built from, without a network:

    python3 tests/docs/licences.py target/LICENSES.md

Sources are Cargo.lock and the crates' own files. The list holds the crates that are linked into the release's
binaries. Procedural macros, build dependencies and test dependencies are not in it. If a crate offers a choice, larder
uses it under the Apache licence, its own. The notices of all other licences must be distributed with a binary: they
follow in full, with those of C code that a crate contains.
"""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGETS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu")
OWN = "Apache-2.0"
# In this order, where there is a choice.
PREFERRED = (OWN, "MIT", "BSD-3-Clause", "BSD-2-Clause", "ISC", "Zlib", "BSL-1.0", "Unicode-3.0", "CC0-1.0")
# What the text of each says, and no other does.
SAYS = {
    "Apache-2.0": r"Apache License",
    "MIT": r"Permission is hereby granted, free of\s+charge",
    "BSD-3-Clause": r"Neither the names? of|names of the contributors may not be used",
    "BSD-2-Clause": r"Redistributions in binary form",
    "ISC": r"Permission to use, copy, modify, and(/or)? distribute",
    "Zlib": r"This software is provided ['\"‘]as-is",
    "BSL-1.0": r"Boost Software License",
    "Unicode-3.0": r"UNICODE LICENSE V3",
    "CC0-1.0": r"CC0 1\.0 Universal",
}
# Crates with C code, and the notices of third-party code in them.
BROUGHT = {
    "blake3": (),
    "brotli-decompressor": (),
    "libz-ng-sys": ("src/zlib-ng/LICENSE.md",),
    "nix": (),
    "ring": ("LICENSE-BoringSSL", "LICENSE-other-bits", "third_party/fiat/LICENSE"),
    "zstd-sys": ("zstd/LICENSE",),
}
HEAD = """# Licences

larder is licensed under the Apache License 2.0. Its binaries contain the crates below, each with the licence that it is
used under. `tests/docs/licences.py` writes this list from `Cargo.lock`.

| crate | version | licence | used under | source |
| --- | --- | --- | --- | --- |
"""
NOTICES = """
## Notices

These texts must be distributed with a binary. Each follows the crates that it belongs to.
"""


def cargo(*words):
    done = subprocess.run(["cargo", *words, "--locked"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def linked():
    """Names and versions of the crates that are in the binaries."""
    targets = [word for target in TARGETS for word in ("--target", target)]
    told = cargo("tree", "--edges", "normal,no-proc-macro", "--prefix", "none", *targets)
    crates = {tuple(line.split()[:2]) for line in told.splitlines() if line}
    return {(name, version.removeprefix("v")) for name, version in crates if name != "larder"}


def packages():
    """Cargo's metadata of the linked crates, by name and version."""
    known = {}
    for target in TARGETS:
        told = json.loads(cargo("metadata", "--format-version", "1", "--filter-platform", target))
        known |= {(package["name"], package["version"]): package for package in told["packages"]}
    return [known[crate] for crate in sorted(linked())]


def used_under(expression):
    """The licences that are chosen of what an expression allows."""
    tokens = re.findall(r"\(|\)|[^\s()/]+|/", expression.replace(" WITH ", "~"))

    def alternatives():
        found = [together()]
        while tokens and tokens[0] in ("OR", "/"):
            tokens.pop(0)
            found.append(together())
        return min(found, key=lambda licences: [rank(licence) for licence in licences])

    def together():
        found = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            found = found + one()
        return found

    def one():
        token = tokens.pop(0)
        if token != "(":
            return [token.replace("~", " WITH ")]
        found = alternatives()
        assert tokens.pop(0) == ")"
        return found

    return sorted(set(alternatives()), key=rank)


def rank(licence):
    return PREFERRED.index(licence) if licence in PREFERRED else len(PREFERRED)


def folder(package):
    """Where a crate's files are."""
    return pathlib.Path(package["manifest_path"]).parent


def notices(package):
    """The texts of a crate that must be distributed."""
    root = folder(package)
    files = [file for file in sorted(root.iterdir()) if re.match(r"(licen[cs]e|copying|unlicense)", file.name, re.I)]
    texts = [file.read_text(errors="replace") for file in files if file.is_file()]
    for licence in used_under(package["license"]):
        if licence != OWN and licence in SAYS:
            found = [text for text in texts if re.search(SAYS[licence], text)]
            yield from found[:1] or [missing(package, licence)]
    yield from (file.read_text() for file in sorted(root.glob("NOTICE*")))
    yield from (root.joinpath(file).read_text() for file in BROUGHT.get(package["name"], ()))


def missing(package, licence):
    """The replacement for a notice that a crate does not contain: its authors and its terms."""
    authors = ", ".join(package["authors"]) or "the authors of " + package["name"]
    return f"By {authors}, without a notice in the crate. The terms are those of {licence}, as others have them here."


def page():
    rows, told = [], {}
    for package in packages():
        name, version, licence = package["name"], package["version"], package["license"]
        under = " AND ".join(used_under(licence))
        rows.append(f"| {name} | {version} | {licence} | {under} | {package['repository'] or ''} |")
        for text in notices(package):
            told.setdefault(plain(text), []).append(f"{name} {version}")
    texts = [f"\n{', '.join(whose)}:\n\n```\n{text}\n```\n" for text, whose in told.items()]
    return HEAD + "\n".join(rows) + "\n" + NOTICES + "".join(texts)


def plain(text):
    """A text without the white space around its lines."""
    return "\n".join(line.strip() for line in text.strip().splitlines()).replace("```", "'''")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: licences.py FILE")
    target = pathlib.Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(page())
