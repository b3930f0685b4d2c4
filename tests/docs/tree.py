"""The repository's paths, and subprocesses."""

import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "config" / "deploy"
CACHE = pathlib.Path(os.environ["LARDER_TEST_CACHE"])
LARDER = os.environ["LARDER_BIN"]
TOOLS = CACHE / "venv-docs" / "bin"


def documents():
    """All documents: the README, the pages of docs and of the dashboards."""
    return [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), ROOT / "dashboards" / "README.md"]


def name(path):
    """A file's path in the repository."""
    return str(path.relative_to(ROOT))


def plain_environment():
    """The environment without variables that configure larder or an SDK."""
    mine = ("LARDER_", "OPENAI_", "ANTHROPIC_", "AZURE_", "CO_")
    return {key: value for key, value in os.environ.items() if not key.startswith(mine)}


def passes(*command, **options):
    """Runs a command that must succeed. Returns its output."""
    environment = plain_environment() | options.pop("env", {})
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=60, env=environment, **options
    )
    assert done.returncode == 0, f"{command[0]} exits with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr
