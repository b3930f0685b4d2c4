"""The pages are correct: links resolve; codes, keys, series and variables exist; the README keeps its limits."""

import http
import json
import re
import tomllib
import urllib.request

import pytest
from stage import sidecar
from tree import LARDER, ROOT, documents, name, passes

ERRORS = (ROOT / "src/error.rs").read_text()
SETTING = re.compile(
    r"`((?:server|cache|access|disk|redis|prices|log|metrics|traces|drift|providers\.\w+)\.[a-z_]+)\b(?! [A-Z])"
)

each_page = pytest.mark.parametrize("page", documents(), ids=name)


def prose(page):
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)


def slug(heading):
    """The anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@each_page
def test_links_lead_somewhere(page):
    said = prose(page)
    for target in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", said):
        path, _, place = "".join(target).partition("#")
        if "://" in path:
            continue
        file = page.parent / path if path else page
        assert file.exists(), f"{path} is not there"
        if place:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.M)
            assert place in map(slug, headings), f"{path} has no {place}"


def settings():
    """Every key of the reference, with its section."""
    reference = (ROOT / "docs/REFERENCE.md").read_text()
    for section in re.split(r"^## ", reference, flags=re.M)[1:]:
        if title := re.match(r"`\[(.*)\]`", section):
            yield from (f"{title[1]}.{key}" for key in re.findall(r"^\| `(\w+)` \|", section, re.M))


@each_page
def test_settings_are_those_of_the_reference(page):
    known = set(settings())
    assert len(known) > 50
    for setting in SETTING.findall(prose(page)):
        assert re.sub(r"^providers\.\w+", "providers.openai", setting) in known, setting


@each_page
def test_series_are_larder_s(page):
    declared = "".join(path.read_text() for path in ROOT.glob("src/metrics/*.rs"))
    for series in re.findall(r"`(larder_[a-z_]+)", prose(page)):
        assert f'"{series}"' in declared, series


@each_page
def test_variables_are_read(page):
    read = passes(LARDER, "serve", "--help") + "".join(path.read_text() for path in readers())
    # Every key of the configuration has one.
    read += " ".join("LARDER_" + re.sub(r"\W", "_", setting).upper() for setting in settings())
    for variable in re.findall(r"\bLARDER_[A-Z_]+", page.read_text()):
        # A provider of one's own has the variables of those that are built in.
        known = re.sub(r"_PROVIDERS_(NAME|MINE)_", "_PROVIDERS_OPENAI_", variable)
        assert known in read, variable


def readers():
    """Files that may read a variable besides the command line: the build, the code, the tests' scripts."""
    yield from (ROOT / "build.rs", *ROOT.glob("src/**/*.rs"))
    for path in ROOT.glob("tests/**/*"):
        made = {"node_modules", "target"} & set(path.parts)
        if path.is_file() and path.suffix in ("", ".rs") and not made:
            yield path


# --- the README, the index and the comparison ---


def test_every_page_is_in_the_index():
    index = (ROOT / "docs/README.md").read_text()
    for page in ROOT.glob("docs/*.md"):
        assert page.name == "README.md" or f"({page.name})" in index, f"docs/README.md does not link {page.name}"


def test_the_readme_is_short():
    readme = (ROOT / "README.md").read_text()
    assert len(readme.splitlines()) <= 180
    assert len(readme.split()) <= 1300


def test_the_first_hit_is_six_typed_lines_away():
    readme = (ROOT / "README.md").read_text()
    before, run, _ = readme.partition("larder run -- python app.py\n")
    assert run and "cargo install --locked --path ." in before
    typed = "".join(re.findall(r"^```sh\n(.*?)(?:^```$|\Z)", before + run, re.M | re.S))
    assert len(typed.splitlines()) <= 6


def test_the_readme_names_what_the_build_needs_before_the_command():
    needs, command, _ = (ROOT / "README.md").read_text().partition("cargo install")
    rust = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["rust-version"]
    assert command and f"Rust {rust}" in needs and "C compiler" in needs


def test_every_compared_system_has_a_version_and_a_date():
    page = (ROOT / "docs/COMPARISON.md").read_text()
    header = re.search(r"^\| \| larder \| (.*) \|$", page, re.M)[1]
    read = dict(re.findall(r"^\| ([^|]+) \| ([^|]*\b20\d\d-\d\d[^|]*) \|$", page, re.M))
    for system in header.split(" | "):
        found = [told for name, told in read.items() if name.split(",")[0].split()[0] == system]
        assert len(found) == 1, f"{system} has no date"
        assert re.search(r"\b[0-9a-f]{7}\b", found[0]), f"{system} has no version"
    compared = (ROOT / "README.md").read_text().split("\n## Comparison\n")[1].split("\n## ")[0]
    assert re.search(r"\b20\d\d-\d\d-\d\d\b", compared)
    for system in re.search(r"^\| \| larder \| (.*) \|$", compared, re.M)[1].split(" | "):
        assert system in header.split(" | "), f"{system} is in the README alone"


# --- codes of errors ---


def statuses():
    """The status of each code."""
    codes = dict(re.findall(r'Self::(\w+) => "(\w+)"', ERRORS))
    found = {}
    for kinds, status in re.findall(r"^ +((?:Self::\w+(?: \| )?)+) => StatusCode::(\w+)", ERRORS, re.M):
        for kind in re.findall(r"Self::(\w+)", kinds):
            found[codes[kind]] = http.HTTPStatus[status.replace("PAYLOAD", "REQUEST_ENTITY")
                                                 .replace("URI_TOO_LONG", "REQUEST_URI_TOO_LONG")].value
    assert found.keys() == set(codes.values()) and len(found) > 10
    return found


def test_every_code_has_a_section_with_its_status():
    page = (ROOT / "docs/TROUBLESHOOTING.md").read_text()
    codes = page.split("\n## Codes\n")[1].split("\n## ")[0]
    sections = dict(re.findall(r"^### (\w+)\n\n(\d{3})\b", codes, re.M))
    assert {code: str(status) for code, status in statuses().items()} == sections
    assert len(re.findall(r"^### ", codes, re.M)) == len(sections)


# --- figures ---


def test_a_vector_is_counted_as_the_page_on_operations_says(stage):
    page = (ROOT / "docs/OPERATIONS.md").read_text()
    factor, beside = map(int, re.search(r"counted as (\d) × \*d\* \+ (\d+) bytes", page).groups())
    with sidecar("--admin-listen", "127.0.0.1:0", "--upstream", f"http://{stage.provider}/v1") as (proxy, admin):
        for dimensions in (384, 1536):
            before = counted(admin)
            inputs = [f"text {at}" for at in range(100)]
            ask(proxy, {"model": "text-embedding-3-small", "input": inputs, "dimensions": dimensions})
            entries, size = (after - was for after, was in zip(counted(admin), before))
            assert (entries, size) == (100, 100 * (factor * dimensions + beside))


def ask(proxy, body):
    headers = {"content-type": "application/json", "authorization": "Bearer sk-docs"}
    request = urllib.request.Request(f"http://{proxy}/v1/embeddings", json.dumps(body).encode(), headers)
    urllib.request.urlopen(request).read()


def counted(admin):
    """The entries of the memory tier, and their bytes."""
    said = urllib.request.urlopen(f"http://{admin}/metrics").read().decode()
    series = (rf'^larder_cache_{what}{{tier="memory"}} (\d+)$' for what in ("entries", "bytes"))
    return [int(re.search(one, said, re.M)[1]) for one in series]
