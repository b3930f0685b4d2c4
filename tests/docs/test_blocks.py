"""Every block of code in the documents works: commands run, settings are valid, programs succeed. exceptions.toml has the
others, with reasons."""

import gzip
import json
import os
import re
import subprocess

import blocks
import kubernetes_validate
import pytest
import yaml
from shell import Shell
from tree import CACHE, LARDER, ROOT, passes, plain_environment

EVERY = list(blocks.every())
EXCEPTIONS = blocks.Exceptions()
NODE = ROOT / "tests/sdk/node"
# Variables with the keys of SDKs.
KEYS = ("ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY", "CO_API_KEY", "GEMINI_API_KEY", "VOYAGE_API_KEY")


def of(language, left_out=False):
    chosen = [block for block in EVERY if block.language == language]
    return [block for block in chosen if left_out or EXCEPTIONS.reason(block) is None]


def each(language, left_out=False):
    return pytest.mark.parametrize("block", of(language, left_out), ids=str)


def test_every_block_says_what_it_is_in():
    for block in EVERY:
        assert block.language in blocks.LANGUAGES, f"{block} is in {block.language}"
        looks_like_a_command = block.begins().startswith(("larder ", "larder-", "curl ", "$", "cargo ", "docker "))
        assert block.language or not looks_like_a_command, f"{block} looks like commands"


def test_every_exception_is_of_one_block_and_has_a_reason():
    for entry in EXCEPTIONS.left_out:
        of_it = [block for block in EVERY if blocks.name(block.document) == entry["file"]]
        assert [block.begins() for block in of_it].count(entry["begins"]) == 1, entry
        assert len(entry["because"]) > 10, entry
    for stub, because in EXCEPTIONS.stubs.items():
        assert len(because) > 10, stub
        assert any(re.search(rf"^{re.escape(stub)}\b", block.text, re.M) for block in of("sh")), f"nothing calls {stub}"


# --- commands ---


@each("sh")
def test_commands_run(block, stage, tmp_path):
    Shell(stage, tmp_path).run(block.text, FILES)


@each("sh", left_out=True)
def test_commands_have_the_options_that_are_written(block):
    passes("bash", "-n", "-c", block.text)
    for line in re.sub(r"\\\n", " ", block.text).splitlines():
        for called in re.finditer(r"(?:^|[(&|] *)(larder(?:-bench)?) ([^#&|)]*)", line):
            program, words = called[1], called[2].split(" -- ")[0].split()
            commands = words[:1] if words and re.fullmatch("[a-z]+", words[0]) else []
            binary = os.path.join(os.path.dirname(LARDER), program)
            known = passes(binary, *commands, "--help")
            if "`larder serve --help`" in known:
                known += passes(binary, "serve", "--help")
            for option in (word.split("=")[0] for word in words if word.startswith("--")):
                assert re.search(rf"{option}\b", known), f"{program} {commands} has no {option}"


# --- settings ---


@each("toml")
def test_settings_are_taken(block, tmp_path):
    text = block.text.replace("/var/lib/larder", str(tmp_path))
    for path in re.findall(r'"/etc/larder/([\w.]+)"', text):
        (tmp_path / path).write_text("sk-one\n")
        (tmp_path / path).chmod(0o600)
    file = tmp_path / "larder.toml"
    file.write_text(text.replace("/etc/larder", str(tmp_path)))
    keys = dict.fromkeys(re.findall(r'api_key_env = "(\w+)"', text), "sk-docs")
    if "admin_listen" in text:
        keys["LARDER_ADMIN_TOKEN"] = "secret"
    passes(LARDER, "check", "--config", file, env=keys)


@each("yaml")
def test_manifests_are_valid(block, tmp_path):
    if "scrape_configs" in block.text:
        file = tmp_path / "prometheus.yml"
        file.write_text(block.text.replace("/etc/prometheus/larder", str(ROOT / "dashboards")))
        passes("promtool", "check", "config", file)
        return
    for manifest in yaml.safe_load_all(block.text):
        if "kind" in manifest:
            kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


# --- programs ---


def environment(stage):
    """A program's environment: base URLs and keys. LiteLLM fetches no prices."""
    named = stage.variables() | dict.fromkeys(KEYS, "sk-docs") | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    return plain_environment() | named


@pytest.fixture(scope="session")
def programs(request, stage, tmp_path_factory):
    """Runs the selected Python programs, in one process per environment, while other tests run."""
    wanted = [item.callspec.params["block"] for item in request.session.items if "test_python_runs" in item.name]
    folder = tmp_path_factory.mktemp("programs")
    files = {block: folder / f"{at}.py" for at, block in enumerate(wanted)}
    for block, file in files.items():
        file.write_text(stage.here(block.text))
    running = []
    for name in ("current", "providers"):
        ours = [file for block, file in files.items() if venv(block) == name]
        command = [CACHE / f"venv-{name}/bin/python", ROOT / "tests/docs/programs.py", *ours]
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "env": environment(stage)}
        running.append(subprocess.Popen(command, **options))
    outcomes = {}

    def outcome(block):
        while running and str(files[block]) not in outcomes:
            said, _ = running.pop(0).communicate(timeout=120)
            outcomes.update(json.loads(line) for line in said.splitlines())
        return outcomes.get(str(files[block]), "it did not come to its end")

    yield outcome
    for process in running:
        process.kill()


def venv(block):
    """The virtual environment of tests/sdk with the program's imports."""
    return "current" if re.search(r"^(?:from|import) (?:openai|langchain)", block.text, re.M) else "providers"


@pytest.fixture(scope="session", autouse=True)
def early(request):
    """Starts the programs first, if any is selected."""
    if any("test_python_runs" in item.name for item in request.session.items):
        request.getfixturevalue("programs")


@each("js")
def test_javascript_runs(block, stage, tmp_path):
    os.symlink(NODE / "node_modules", tmp_path / "node_modules")
    (tmp_path / "block.mjs").write_text(stage.here(block.text))
    passes("node", tmp_path / "block.mjs", env=environment(stage))


# --- pieces of the code ---


@each("rust")
def test_pieces_of_the_code_are_there(block):
    """A block names its file in its first line. The file contains the other lines."""
    place, _, piece = block.text.partition("\n")
    file = ROOT / place.removeprefix("// ")
    assert piece.strip() in file.read_text(), f"{place} does not have it"


@each("python")
def test_python_runs(block, programs):
    wrong = programs(block)
    assert wrong is None, wrong


# --- files in a block's folder ---

LINE = json.dumps({"model": "text-embedding-3-small", "input": ["a text", "another"]}).encode() + b"\n"
FILES = {
    "requests.jsonl": LINE * 2,
    "litellm.jsonl.gz": gzip.compress(LINE),
    "app.py": b"import os\nassert os.environ['OPENAI_BASE_URL']\n",
    "larder.toml": b"",
}
