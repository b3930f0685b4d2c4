"""Text is compared byte for byte after JSON decoding: cases 13 to 18 of providers.md section 13."""

import itertools

import pytest
from harness import pure

TEXTS = {
    "composed accent": "caf\u00e9",
    "decomposed accent": "cafe\u0301",
    "NUL inside": "a\0b",
    "emoji": "\N{GRINNING FACE} family: \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "line separators": "a\u2028b\u2029c",
    "byte order mark": "\ufefftext",
    "plain": "text",
    "trailing space": "text ",
    "trailing newline": "text\n",
    "leading space": " text",
    "upper case": "TEXT",
    "full width": "\uff54\uff45\uff58\uff54",
    "carriage return": "a\r\nb\tc",
    "quotes and backslashes": '"\\" \\u0041 {}',
    "controls": "\x01\x1f\x7f\x85",
    "right to left": "\u0634\u0643\u0631\u0627 \u202etxet",
    "non-characters": "\ufffe\uffff\U0010ffff",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_a_text_has_the_direct_outcome_on_miss_and_hit(bench, text):
    bench.expect_same(stored=True, input=[text, f"beside {text}"])


def test_texts_that_look_alike_have_entries_of_their_own(bench):
    with bench.provider_calls(len(TEXTS)):
        got = [bench.through(input=text).vectors for text in TEXTS.values()]
    assert got == [pure(text) for text in TEXTS.values()]
    assert all(one != other for one, other in itertools.combinations(got, 2))


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_a_text_of_a_megabyte_has_the_direct_outcome(bench, encoding):
    bench.expect_same(stored=None, model="unlimited", input="x\u00e9" * 350_000, encoding_format=encoding)


def test_a_lone_surrogate_is_refused_by_the_sdk_itself(bench):
    direct, through = bench.direct(input="\ud800"), bench.through(input="\ud800")
    assert "error" in direct.what and direct.status is None
    assert through.what == direct.what
    assert bench.provider.requests == []
