"""Shapes of `input`: cases 1 to 11 of providers.md section 13."""

import answers
import pytest
from harness import MODEL, items_header, pure

CACHEABLE = {
    "text": "a text",
    "list of one": ["a text"],
    "list": ["one", "two", "three"],
    "duplicates": ["twice", "once", "twice"],
    "token array": [15496, 995],
    "token arrays": [[15496, 995], [0], [100_257, 4_294_967_295]],
    "2048 inputs": [f"text {i}" for i in range(2048)],
    "bytes": b"x",
}
ODD = {
    "empty text": "",
    "empty list": [],
    "empty text in a list": [""],
    "empty text among others": ["a", ""],
    "white space": " \t\n",
    "white space in a list": ["a", "  "],
    "empty token array": [[]],
    "null": [None],
    "true": [True],
    "float": [1.0],
    "object": {},
    "number": 123,
    "negative token": [-1],
    "token beyond 64 bits": [[18_446_744_073_709_551_616]],
    "texts and tokens": ["a", [1, 2]],
    "mixed prompt": [12, "s", 56],
    "2049 tokens": list(range(2049)),
    "2049 tokens in a list": [[1], list(range(2049))],
    "over-long text": "x" * (answers.MAX_INPUT_TOKENS + 1),
}


def cases(table):
    return pytest.mark.parametrize("shape", table.values(), ids=table.keys())


@pytest.mark.parametrize("asked", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}],
                         ids=["default", "float", "base64"])
@cases(CACHEABLE)
def test_a_good_input_has_the_direct_outcome_on_miss_and_hit(bench, shape, asked):
    bench.expect_same(stored=True, input=shape, **asked)


@cases(ODD)
def test_an_odd_input_has_the_direct_outcome(bench, shape):
    bench.expect_same(stored=None, input=shape)


@pytest.mark.parametrize("shape", [["a", [1, 2]], [12, "s", 56]])
def test_a_mixed_array_that_the_provider_takes_is_passed_on(bench, shape):
    bench.expect_same(stored=False, model="mixed-arrays", input=shape)


def test_a_refused_list_does_not_taint_its_good_inputs(bench):
    bench.through(input=["a", ""])
    bench.expect_same(stored=True, input="a")


def test_an_empty_text_alone_and_in_a_list_stay_two_questions(bench):
    assert bench.through(input="").status is None
    assert bench.through(input=[""]).status == 400
    assert bench.through(input="").what == bench.direct(input="").what


def test_a_duplicate_goes_upstream_once_and_comes_back_at_each_position(bench):
    asked = {"input": ["twice", "once", "twice"]}
    with bench.provider_calls(1) as calls:
        through = bench.through(**asked)
    assert sorted(calls[0].inputs) == ["once", "twice"]
    assert through.vectors == pure("twice", "once", "twice")
    assert through.usage == bench.direct(**asked).usage


def test_text_and_token_array_are_different_inputs(bench):
    with bench.provider_calls(2):
        text, array = bench.through(input="h"), bench.through(input=[104])
    assert (text.vectors, array.vectors) == (pure("h"), pure((104,)))


@pytest.mark.parametrize("scalar, listed", [("h", ["h"]), ([104], [[104]])])
def test_a_scalar_and_a_list_of_one_share_an_entry(bench, scalar, listed):
    with bench.provider_calls(1):
        first = bench.through(input=scalar)
        second = bench.through(input=listed)
    assert first.what == second.what == bench.direct(input=listed).what


def test_only_the_new_inputs_of_a_list_go_upstream(bench):
    known, new = [f"known {i}" for i in range(24)], [f"new {i}" for i in range(8)]
    bench.through(input=known)
    mixed = [text for trio in zip(known[0::3], known[1::3], known[2::3], new) for text in trio]
    with bench.provider_calls(1) as calls:
        through = bench.through(input=mixed)
    assert sorted(calls[0].inputs) == sorted(new)
    assert through.what == bench.direct(input=mixed).what
    assert through.cache_status.startswith("larder; fwd=partial")
    assert items_header(through) == {"hit": 24, "collapsed": 0, "miss": 8}


def test_2049_inputs_are_split_and_come_back_in_order(bench):
    texts = [f"text {i}" for i in range(2049)]
    through = bench.through(input=texts)
    assert through.vectors == pure(*texts)
    assert [item["index"] for item in through.what["result"]["data"]] == list(range(2049))
    assert max(len(call.inputs) for call in bench.provider.embeddings) <= answers.MAX_INPUTS


def test_2049_inputs_have_the_direct_outcome_where_over_limit_requests_are_forwarded(forwarding):
    texts = [f"text {i}" for i in range(2049)]
    direct = forwarding.direct(input=texts)
    assert direct.status == 400
    assert forwarding.through(input=texts).what == direct.what


def test_the_answer_names_the_model_it_was_asked_for(bench):
    assert bench.through(input="named").what["result"]["model"] == MODEL
