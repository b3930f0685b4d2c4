"""`larder config --schema`: what editors hold a configuration file against."""

import json
import subprocess
import tomllib

import jsonschema
import pytest
from tree import LARDER, ROOT

FILES = [ROOT / "config" / "larder.toml", *sorted((ROOT / "config" / "examples").glob("*.toml"))]


@pytest.fixture(scope="module")
def validator():
    printed = subprocess.run([LARDER, "config", "--schema"], capture_output=True, check=True, text=True).stdout
    schema = json.loads(printed)
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_file_is_valid(validator, file):
    assert [error.message for error in validator.iter_errors(tomllib.loads(file.read_text()))] == []


@pytest.mark.parametrize(
    "text",
    [
        "[server]\nlisen = '127.0.0.1:1'",
        "[cashe]",
        "[cache]\nmemory = '1 gb'",
        "[cache]\nscope = 'all'",
        "[server]\ndrain = 30",
        "[server]\ndrain = '30 secs'",
        "[server]\nthreads = -1",
        "[log]\nlevel = 'verbose'",
        "[traces]\nsample = 2",
        "[providers.mine]\ndialect = 'opanai'",
        "[providers.mine]\nbase_ulr = 'http://a'",
        "[providers.'a/b']\nbase_url = 'http://a'",
        "[[rules]]\nnme = 'a'",
        "[[rules]]\nname = 'a'\nwhen.modle = 'm'",
        "[[providers.s.routes]]\nkind = 'raed'",
    ],
)
def test_a_typo_is_not(validator, text):
    assert not validator.is_valid(tomllib.loads(text))


@pytest.mark.parametrize("text", ["[cache]\nmemory = '512M'\nttl = 0", "[server]\ndrain = '1h30m'", "[cache]\nmemory = '2Gi'"])
def test_every_unit_is_valid(validator, text):
    assert validator.is_valid(tomllib.loads(text))
