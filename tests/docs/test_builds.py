"""Builds: the licences of the crates, the commit in the version, the manual and the completions."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib

import licences
import pytest
from tree import LARDER, ROOT, passes


def test_the_list_of_licences_covers_every_crate_that_is_linked(tmp_path):
    file = tmp_path / "made" / "LICENSES.md"
    passes(sys.executable, ROOT / "tests/docs/licences.py", file)
    table, notices = file.read_text().split("\n## Notices\n")
    rows = re.findall(r"^\| ([\w-]+) \| (\d\S*) \| [^|]+ \| ([^|]+) \| ", table, re.M)
    listed = {(name, version) for name, version, _ in rows}
    assert listed == licences.linked() and len(rows) == len(listed) > 100
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    assert listed <= {(package["name"], package["version"]) for package in lock}
    assert direct_dependencies() <= {name for name, _ in listed}
    for name, version, under in rows:
        has_notice = re.search(rf"(?:^|, ){re.escape(name)} {re.escape(version)}[,:]", notices, re.M)
        assert under == licences.OWN or has_notice, f"{name} {version} is under {under}, without a notice"


def direct_dependencies():
    """The libraries of Cargo.toml. Procedural macros are not linked."""
    told = json.loads(licences.cargo("metadata", "--format-version", "1"))
    macros = {package["name"] for package in told["packages"] for target in package["targets"]
              if "proc-macro" in target["kind"]}
    (larder,) = (package for package in told["packages"] if package["name"] == "larder")
    named = {each["name"] for each in larder["dependencies"] if each["kind"] is None and not each["target"]}
    return named - macros


def test_every_licence_that_is_used_is_one_that_cargo_deny_allows():
    allowed = re.search(r"^allow = \[(.*?)\]", (ROOT / ".deny.toml").read_text(), re.M | re.S)[1]
    for package in licences.packages():
        for licence in licences.used_under(package["license"]):
            assert f'"{licence}"' in allowed, f"{package['name']} is under {licence}"


def test_the_notices_of_c_code_were_looked_for_wherever_there_is_any():
    for package in licences.packages():
        files = [file for suffix in ("c", "cc", "S") for file in licences.folder(package).rglob(f"*.{suffix}")]
        assert not files or package["name"] in licences.BROUGHT, files[0]


@pytest.mark.parametrize("expression, chosen", [
    ("MIT", "MIT"), ("MIT OR Apache-2.0", "Apache-2.0"), ("Unlicense/MIT", "MIT"),
    ("(MIT OR Apache-2.0) AND Unicode-3.0", "Apache-2.0 AND Unicode-3.0"), ("ISC AND MIT", "MIT AND ISC"),
    ("BSD-3-Clause AND (Zlib OR MIT)", "MIT AND BSD-3-Clause"),
    ("Apache-2.0 WITH LLVM-exception OR MIT", "MIT"),
])
def test_of_several_licences_larder_s_own_comes_first(expression, chosen):
    assert " AND ".join(licences.used_under(expression)) == chosen


# --- the commit that --version says ---


@pytest.fixture(scope="module")
def says(tmp_path_factory):
    """The revision that build.rs derives for a folder."""
    program = tmp_path_factory.mktemp("build") / "build"
    passes("rustc", "--edition", "2024", "-o", program, ROOT / "build.rs")

    def says(folder, profile="release", **more):
        env = {"PROFILE": profile, "LARDER_REVISION": ""} | more
        return re.search(r"LARDER_REVISION=(.*)", passes(program, cwd=folder, env=env).split("rustc-env=")[1])[1]

    return says


def repository(folder):
    folder.mkdir()
    git = ("git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        passes(*git, *words)
    return passes(*git, "rev-parse", "--short=12", "HEAD").strip()


def test_a_release_says_its_own_commit_and_no_other_s(says, tmp_path):
    commit = repository(tmp_path / "checkout")
    unpacked = tmp_path / "checkout" / "unpacked"
    unpacked.mkdir()
    assert says(tmp_path / "checkout") == commit
    assert says(tmp_path / "checkout", LARDER_REVISION="abc") == "abc"
    assert says(tmp_path / "checkout", profile="debug") == "unknown"
    assert says(unpacked) == "unknown"


# --- the manual ---


def test_the_manual_has_a_page_for_each_command_that_groff_takes(tmp_path):
    passes(LARDER, "man", "--dir", tmp_path)
    commands = re.findall(r"^  ([a-z]+) ", passes(LARDER, "help").split("\nOptions:")[0], re.M)
    assert {f"larder-{command}.1" for command in commands if command != "help"} | {"larder.1"} == set(os.listdir(tmp_path))
    for page in tmp_path.iterdir():
        assert passes("groff", "-K", "utf8", "-man", "-Tutf8", "-ww", "-z", page) == "", page.name


def test_completions_are_taken_by_their_shells():
    for shell in filter(shutil.which, ("bash", "zsh", "fish")):
        told = subprocess.run([LARDER, "completions", shell], capture_output=True, check=True).stdout
        subprocess.run([shell, "-n"], input=told, check=True)
