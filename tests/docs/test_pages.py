"""What the pages say is so: links lead somewhere, codes, keys, series and variables are larder's own."""

import http
import json
import re
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
    """A page without its blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)


def slug(heading):
    """What a heading is linked to by."""
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


@each_page
def test_settings_are_those_of_the_reference(page):
    reference = (ROOT / "config/REFERENCE.md").read_text()
    known = set()
    for section in re.split(r"^## ", reference, flags=re.M)[1:]:
        title = re.match(r"`\[(.*)\]`", section)[1]
        known |= {f"{title}.{key}" for key in re.findall(r"^\| `(\w+)` \|", section, re.M)}
    for setting in SETTING.findall(prose(page)):
        assert re.sub(r"^providers\.\w+", "providers.openai", setting) in known, setting


@each_page
def test_series_are_larder_s(page):
    declared = "".join(path.read_text() for path in ROOT.glob("src/metrics/*.rs"))
    for series in re.findall(r"`(larder_[a-z_]+)", prose(page)):
        assert f'"{series}"' in declared, series


@each_page
def test_variables_are_read_by_somebody(page):
    read = passes(LARDER, "serve", "--help") + "".join(path.read_text() for path in readers())
    for variable in re.findall(r"\bLARDER_[A-Z_]+", page.read_text()):
        assert variable in read, variable


def readers():
    """What may read a variable beside the command line: the build, the code, the tests' scripts."""
    yield from (ROOT / "build.rs", *ROOT.glob("src/**/*.rs"))
    for path in ROOT.glob("tests/**/*"):
        made = {"node_modules", "target"} & set(path.parts)
        if path.is_file() and path.suffix in ("", ".rs") and not made:
            yield path


# --- codes of errors ---


def statuses():
    """Each code, and the number of its status."""
    codes = dict(re.findall(r'Self::(\w+) => "(\w+)"', ERRORS))
    found = {}
    for kinds, status in re.findall(r"^ +((?:Self::\w+(?: \| )?)+) => StatusCode::(\w+)", ERRORS, re.M):
        for kind in re.findall(r"Self::(\w+)", kinds):
            found[codes[kind]] = http.HTTPStatus[status.replace("PAYLOAD", "REQUEST_ENTITY")
                                                 .replace("URI_TOO_LONG", "REQUEST_URI_TOO_LONG")].value
    assert found.keys() == set(codes.values()) and len(found) > 10
    return found


def test_every_code_has_a_section_with_its_status():
    page = (ROOT / "config/TROUBLESHOOTING.md").read_text()
    codes = page.split("\n## Codes\n")[1].split("\n## ")[0]
    sections = dict(re.findall(r"^### (\w+)\n\n(\d{3})\b", codes, re.M))
    assert {code: str(status) for code, status in statuses().items()} == sections
    assert len(re.findall(r"^### ", codes, re.M)) == len(sections)


# --- figures ---


def test_a_vector_is_counted_as_the_page_on_operations_says(stage):
    page = (ROOT / "config/OPERATIONS.md").read_text()
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
