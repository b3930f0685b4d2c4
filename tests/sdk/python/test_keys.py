"""Who shares an entry with whom: cases 6, 22, 23 and 26 to 30 of providers.md section 13."""

import pytest
from harness import pure

SHARED = {
    "the same again": ({}, {}),
    "another user": ({"user": "alice"}, {"user": "bob"}),
    "a user and none": ({"user": "alice"}, {}),
    "base64 after float": ({"encoding_format": "float"}, {"encoding_format": "base64"}),
    "default after float": ({"encoding_format": "float"}, {}),
    "the same unknown field": ({"extra_body": {"task": "query", "n": 1}}, {"extra_body": {"n": 1, "task": "query"}}),
    "another user agent": ({"extra_headers": {"user-agent": "a/1"}}, {"extra_headers": {"user-agent": "b/2"}}),
    "a client that retries": ({"client": {"max_retries": 2}}, {"client": {"timeout": 17.0}}),
}
APART = {
    "another key": ({"client": {"api_key": "sk-one"}}, {"client": {"api_key": "sk-two"}}),
    "another organization": ({"client": {"organization": "org-a"}}, {"client": {"organization": "org-b"}}),
    "an organization and none": ({"client": {"organization": "org-a"}}, {}),
    "another project": ({"client": {"project": "proj-a"}}, {"client": {"project": "proj-b"}}),
    "a beta header": ({"extra_headers": {"OpenAI-Beta": "x=1"}}, {}),
    "other dimensions": ({"dimensions": 4}, {"dimensions": 5}),
    "dimensions and none": ({"dimensions": 8}, {}),
    "another model": ({"model": "text-embedding-3-small"}, {"model": "text-embedding-3-large"}),
    "a model's tag": ({"model": "m"}, {"model": "m:latest"}),
    "a model's prefix": ({"model": "m"}, {"model": "models/m"}),
    "a model's mode": ({"model": "m-query"}, {"model": "m-passage"}),
    "a model's case": ({"model": "m"}, {"model": "M"}),
    "an unknown field and none": ({"extra_body": {"task": "query"}}, {}),
    "another value of an unknown field": ({"extra_body": {"task": "query"}}, {"extra_body": {"task": "passage"}}),
    "an unknown null and none": ({"extra_body": {"task": None}}, {}),
    "another query": ({"extra_query": {"api-version": "1"}}, {"extra_query": {"api-version": "2"}}),
}


def cases(table):
    return pytest.mark.parametrize("one, other", table.values(), ids=table.keys())


def both_as_direct(bench, one, other):
    """Both calls have their direct outcome, whichever came first."""
    for asked in (one, other):
        assert bench.through(input=["a text"], **asked).what == bench.direct(input=["a text"], **asked).what


def through_calls(bench, *many):
    """How many requests reach the provider for these calls through larder."""
    before = len(bench.provider.embeddings)
    for asked in many:
        bench.through(input=["a text"], **asked)
    return len(bench.provider.embeddings) - before


@cases(SHARED)
def test_what_alters_no_vector_shares_an_entry(bench, one, other):
    for asked in (one, other):
        # A vector that came both ways, as numbers and as base64.
        bench.through(input=["both ways"], **asked)
    assert through_calls(bench, one, other) == 1
    both_as_direct(bench, one, other)


@cases(APART)
def test_what_may_alter_a_vector_or_belongs_to_another_does_not_share(bench, one, other):
    assert through_calls(bench, one, other) == 2
    both_as_direct(bench, one, other)


def test_the_first_float_after_base64_is_asked_for_and_the_next_shares(bench):
    one, other = {"encoding_format": "base64"}, {"encoding_format": "float"}
    assert through_calls(bench, one, other) == 2
    both_as_direct(bench, one, other)
    with bench.provider_calls(1):
        for asked in (one, other):
            bench.through(input=["another text"], **asked)


def test_sync_and_async_clients_share_an_entry(bench, sdks):
    bench.sdk = sdks["sync"]
    with bench.provider_calls(1):
        first = bench.through(input="shared")
        bench.sdk = sdks["async"]
        second = bench.through(input="shared")
    assert first.what == second.what


def test_float_and_base64_of_one_entry_are_the_same_32_bit_numbers(bench):
    # Base64 is believed once a vector of the model came both ways.
    with bench.provider_calls(2):
        for encoding in ("base64", "float"):
            bench.through(input="both ways", encoding_format=encoding)
    with bench.provider_calls(1):
        first = bench.through(input="bits", encoding_format="base64")
        floats = bench.through(input="bits", encoding_format="float")
        decoded = bench.through(input="bits")
    assert floats.vectors == pure("bits", encoding="float")
    assert decoded.vectors == pure("bits")
    assert isinstance(first.vectors[0], str)


def test_an_unknown_field_keeps_the_inputs_of_a_request_together(bench):
    asked = {"extra_body": {"late_chunking": True}}
    bench.through(input=["one", "two"], **asked)
    with bench.provider_calls(1) as calls:
        bench.through(input=["one", "three"], **asked)
    assert calls[0].inputs == ("one", "three")


@pytest.mark.parametrize("dimensions", [1, 4, 8, 256, 3072, 5000, 0, -1])
def test_dimensions_have_the_direct_outcome(bench, dimensions):
    bench.expect_same(stored=dimensions in range(1, 4097), input=["a", "b"], dimensions=dimensions)


@pytest.mark.parametrize("encoding", ["float", "base64", "FLOAT", "int8", ""])
def test_encoding_formats_have_the_direct_outcome(bench, encoding):
    bench.expect_same(stored=None, input="a", encoding_format=encoding)
