"""What a caller may ask of larder through headers, and what larder says in its own."""

import re

import pytest
from harness import items_header, pure


def control(value):
    return {"extra_headers": {"Cache-Control": value}}


def test_no_store_neither_reads_nor_stores(bench):
    direct = bench.direct(input="x")
    with bench.provider_calls(3):
        first = bench.through(input="x", **control("no-store"))
        bench.through(input="x")
        again = bench.through(input="x", **control("no-store"))
    assert first.what == again.what == direct.what
    assert first.cache_status.startswith("larder; fwd=bypass")


def test_no_cache_asks_anew_and_stores_the_new_answer(bench):
    with bench.provider_calls(2):
        bench.through(input="x")
        anew = bench.through(input="x", **control("no-cache"))
    with bench.provider_calls(0):
        assert bench.through(input="x").what == anew.what


def test_only_if_cached_is_answered_from_the_cache_or_not_at_all(bench):
    with bench.provider_calls(0):
        missed = bench.through(input="x", **control("only-if-cached"))
    assert (missed.status, missed.what["code"], missed.what["type"]) == (504, "not_cached", "larder_error")
    assert missed.headers["x-larder-error"] == "not_cached"
    bench.through(input="x")
    with bench.provider_calls(0):
        assert bench.through(input="x", **control("only-if-cached")).vectors == pure("x")


def test_only_if_cached_wants_every_input_of_a_list(bench):
    bench.through(input="known")
    with bench.provider_calls(0):
        assert bench.through(input=["known", "new"], **control("only-if-cached")).status == 504


def test_max_age_takes_what_is_young_enough(bench):
    with bench.provider_calls(1):
        bench.through(input="x", **control("max-age=3600"))
        assert bench.through(input="x", **control("max-age=3600")).cache_status.startswith("larder; hit")


@pytest.mark.parametrize("headers", [{"Cache-Control": "no-cache"}, {"Cache-Control": "no-store"},
                                     {"x-larder-ttl": "60"}, {"x-larder-priority": "bulk"}])
def test_directives_are_not_told_to_the_provider(bench, headers):
    with bench.provider_calls(1) as calls:
        got = bench.through(input="x", extra_headers=headers)
    assert got.vectors == pure("x")
    told = [name for name, _ in calls[0].headers if name == "cache-control" or name.startswith("x-larder")]
    assert told == []


def test_the_headers_say_what_the_cache_did(bench):
    missed = bench.through(input=["a", "b"])
    assert missed.cache_status == "larder; fwd=miss; stored"
    assert items_header(missed) == {"hit": 0, "collapsed": 0, "miss": 2}
    hit = bench.through(input=["b", "a"])
    assert re.match(r"larder; hit(; ttl=-?\d+)?; detail=memory$", hit.cache_status), hit.cache_status
    assert items_header(hit) == {"hit": 2, "collapsed": 0, "miss": 0}
    assert int(hit.headers["age"]) >= 0
    assert "dur=" in hit.headers["server-timing"]
    partial = bench.through(input=["a", "c"])
    assert partial.cache_status == "larder; fwd=partial; stored"
    assert items_header(partial) == {"hit": 1, "collapsed": 0, "miss": 1}


def test_a_refusal_is_not_claimed_to_be_stored(bench):
    refused = bench.through(model="fault-401", input="a")
    assert "stored" not in refused.cache_status
    assert "x-larder-error" not in refused.headers
