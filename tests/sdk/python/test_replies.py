"""Replies that are not what OpenAI's are: cases 36 to 46 of providers.md section 13."""

import answers
import pytest
from harness import pure

ASKED = pytest.mark.parametrize(
    "asked", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}],
    ids=["default", "float", "base64"])


@pytest.mark.parametrize("model", ["fault-no-usage", "fault-extra-fields", "fault-chunked", "fault-until-close",
                                   "fault-gzip", "fault-deflate", "fault-br", "fault-zstd"])
@ASKED
def test_a_whole_reply_in_another_guise_has_the_direct_outcome_on_miss_and_hit(bench, model, asked):
    bench.expect_same(stored=True, model=model, input=["a", "b"], **asked)


@pytest.mark.parametrize("model", ["fault-fewer", "fault-null", "fault-nan", "fault-other-length", "fault-no-data",
                                   "fault-html", "fault-empty"])
@ASKED
def test_a_reply_that_cannot_be_trusted_is_passed_on_and_never_stored(bench, model, asked):
    bench.expect_same(stored=False, model=model, input=["a", "b", "c"], **asked)


@pytest.mark.parametrize("model", ["fault-no-content-type", "fault-text-plain"])
@ASKED
def test_a_reply_of_another_content_type_has_the_direct_outcome(bench, model, asked):
    """The Node SDK gives the bare text of a reply that does not say that it is JSON."""
    bench.expect_same(stored=None, model=model, input=["a", "b"], **asked)


@ASKED
def test_floats_in_place_of_base64_come_in_the_form_that_was_asked_for(bench, asked):
    """Better than the direct outcome too: some SDKs decode whatever comes, and get a wrong vector."""
    right = pure("a", "b", model="fault-ignores-base64")
    as_base64 = [answers.packed([float.fromhex(n) for n in vector]) for vector in right]
    as_floats = pure("a", "b", model="fault-ignores-base64", encoding="float")
    for _ in range(2):
        got = bench.through(model="fault-ignores-base64", input=["a", "b"], **asked).vectors
        if asked.get("encoding_format") == "base64":
            assert got == as_base64
        else:
            assert got == as_floats or (not asked and got == right)


@ASKED
def test_a_reordered_reply_is_put_in_the_order_of_the_inputs(bench, asked):
    """The one place where larder's outcome is better than the direct one: SDKs go by position."""
    asked = {"model": "fault-reordered", "input": ["a", "b", "c"], **asked}
    direct = bench.direct(**asked).what["result"]
    for _ in range(2):
        through = bench.through(**asked).what["result"]
        assert [item["index"] for item in through["data"]] == [0, 1, 2]
        assert through["data"] == sorted(direct["data"], key=lambda item: item["index"])
        assert through["usage"] == direct["usage"]


@pytest.mark.parametrize("model", ["prints-widened", "prints-doubles"])
def test_numbers_are_the_doubles_that_the_provider_prints(bench, model):
    bench.expect_same(stored=True, model=model, input=["a", "b"], encoding_format="float")


def test_vectors_that_suddenly_have_another_length_are_passed_on(bench):
    """The length belongs to the reply at hand: the first item only is short here."""
    got = bench.through(model="fault-other-length", input=["a", "b"], encoding_format="float")
    assert [len(vector) for vector in got.vectors] == [7, 8]


def test_extra_fields_are_kept_on_a_hit(bench):
    for _ in range(2):
        result = bench.through(model="fault-extra-fields", input="a").what["result"]
        assert (result["id"], result["created"]) == ("embd-1", 1_700_000_000)


def test_a_reply_cut_short_is_an_error_that_an_sdk_tries_again_and_is_never_stored(bench):
    asked = {"model": "fault-truncated", "input": ["a", "b"]}
    assert bench.direct(**asked).what["error"] == "APIConnectionError"
    for _ in range(2):
        with bench.provider_calls(1):
            through = bench.through(**asked)
        broken = through.what["error"] == "APIConnectionError"
        assert broken or (through.status, through.headers["x-larder-error"]) == (502, "upstream_invalid")
