"""JSON as no SDK writes it: cases 8, 9, 15, 19 to 25 of providers.md section 13."""

import codecs
import json

import pytest
from wire import Line, question, request

DEEP = "[" * 200 + "]" * 200


@pytest.fixture
def line(provider, larder):
    return Line(provider, larder)


def with_input(text):
    return f'{{"model":"m","input":{text}}}'


ODD = {
    "nothing": "",
    "white space": "  ",
    "half an object": '{"model":"m","input":"a"',
    "no JSON": "model=m&input=a",
    "a list": '["a"]',
    "a string": '"a"',
    "null": "null",
    "trailing text": with_input('"a"') + "x",
    "two objects": with_input('"a"') * 2,
    "trailing comma": '{"model":"m","input":"a",}',
    "NaN": '{"model":"m","input":"a","x":NaN}',
    "no model": '{"input":"a"}',
    "null model": '{"model":null,"input":"a"}',
    "number for a model": '{"model":1,"input":"a"}',
    "no input": '{"model":"m"}',
    "null input": with_input("null"),
    "input true": with_input("true"),
    "input object": with_input("{}"),
    "input number": with_input("123"),
    "empty list": with_input("[]"),
    "empty token array": with_input("[[]]"),
    "null in a list": with_input("[null]"),
    "true in a list": with_input("[true]"),
    "object in a list": with_input('[{"text":"a"}]'),
    "float token": with_input("[1.0]"),
    "exponent token": with_input("[1e2]"),
    "negative token": with_input("[-1]"),
    "negative zero token": with_input("[-0]"),
    "huge token": with_input("[18446744073709551616]"),
    "largest token": with_input("[18446744073709551615]"),
    "nested too deep": with_input("[[[1]]]"),
    "texts and tokens": with_input('["a",[1,2]]'),
    "tokens and texts": with_input('[[1,2],"a"]'),
    "mixed prompt": with_input('[12,"s",56]'),
    "mixed prompt that is taken": '{"model":"mixed-arrays","input":[12,"s",56]}',
    "mixed list that is taken": '{"model":"mixed-arrays","input":["s",[1,2]]}',
    "input twice": '{"model":"m","input":"a","input":"b"}',
    "model twice": '{"model":"m","input":"a","model":"n"}',
    "dimensions twice": '{"model":"m","input":"a","dimensions":4,"dimensions":5}',
    "unknown field twice": '{"model":"m","input":"a","x":1,"x":2}',
    "the same name in two spellings": '{"model":"m","input":"a","inpu\\u0074":"b"}',
    "nesting 200 deep": f'{{"model":"m","input":"a","x":{DEEP}}}',
    "lone surrogate": with_input('"\\ud800"'),
    "lone surrogate in a list": with_input('["good","a\\udfffb"]'),
    "reversed surrogates": with_input('"\\udc00\\ud800"'),
    "surrogate pair": with_input('"\\ud83d\\ude00"'),
    "escaped NUL": with_input('"a\\u0000b"'),
    "raw control character": with_input('"a\x01b"'),
    "raw newline in a text": with_input('"a\nb"'),
    "bad escape": with_input('"\\x41"'),
    "dimensions as a float": '{"model":"m","input":"a","dimensions":256.0}',
    "dimensions as a text": '{"model":"m","input":"a","dimensions":"256"}',
    "dimensions null": '{"model":"m","input":"a","dimensions":null}',
    "dimensions true": '{"model":"m","input":"a","dimensions":true}',
    "dimensions as an exponent": '{"model":"m","input":"a","dimensions":1e1}',
    "encoding_format null": '{"model":"m","input":"a","encoding_format":null}',
    "encoding_format in capitals": '{"model":"m","input":"a","encoding_format":"FLOAT"}',
    "encoding_format number": '{"model":"m","input":"a","encoding_format":1}',
    "encoding_format escaped": '{"model":"m","input":"a","encoding_format":"bas\\u006564"}',
    "user number": '{"model":"m","input":"a","user":7}',
    "user null": '{"model":"m","input":"a","user":null}',
    "stream": '{"model":"m","input":"a","stream":true}',
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD.keys())
def test_a_body_has_the_direct_answer(line, body):
    line.expect_same(request(body.encode()))


BYTES = {
    "byte order mark": codecs.BOM_UTF8 + question(),
    "UTF-16": question().decode().encode("utf-16"),
    "Latin-1": b'{"model":"m","input":"caf\xe9"}',
    "cut UTF-8": b'{"model":"m","input":"\xf0\x9f\x98"}',
    "surrogate in UTF-8": b'{"model":"m","input":"\xed\xa0\x80"}',
    "over-long UTF-8": b'{"model":"m","input":"\xc0\xaf"}',
    "NUL bytes": question() + b"\0\0",
}


@pytest.mark.parametrize("body", BYTES.values(), ids=BYTES.keys())
def test_bytes_have_the_direct_answer(line, body):
    line.expect_same(request(body))


SPELLINGS = {
    "other order": '{"input":"caf\u00e9","model":"m"}',
    "white space": ' {\n\t"model" : "m" ,\r\n "input" : "caf\u00e9" } \n',
    "escaped value": '{"model":"\\u006d","input":"caf\\u00E9"}',
    "escaped name": '{"mode\\u006c":"m","\\u0069nput":"caf\u00e9"}',
    "list of one": '{"model":"m","input":["caf\u00e9"]}',
    "encoding named": '{"model":"m","input":"caf\u00e9","encoding_format":"float"}',
    "encoding null": '{"model":"m","input":"caf\u00e9","encoding_format":null}',
}


@pytest.mark.parametrize("body", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_spellings_of_one_question_share_an_entry(line, body):
    first = line.through(request('{"model":"m","input":"caf\u00e9"}'.encode()))
    hit = line.through(request(body.encode()))
    assert len(line.provider.embeddings) == 1
    assert hit.cache_status.startswith("larder; hit")
    assert hit.view == first.view == line.direct(request(body.encode())).view


def test_a_question_in_doubt_never_takes_the_answer_of_another(line):
    """Each is asked after a plain one that a careless reader would take it for."""
    line.through(request(question("a", dimensions=256)))
    line.through(request(question("a")))
    line.through(request(question([12, 56])))
    for body in (question("a", dimensions=256.0), question("a", dimensions="256"), question(["a", ""]),
                 question([12.0, 56]), question([12, "s", 56]),
                 b'{"model":"text-embedding-3-small","input":"b","input":"a"}',
                 b'{"model":"text-embedding-3-small","input":"a","input":"b"}'):
        assert line.through(request(body)).view == line.direct(request(body)).view


def test_a_lone_surrogate_reaches_the_provider_as_it_was_written(line):
    body = b'{"model":"m","input":"\\ud800"}'
    line.through(request(body))
    assert line.provider.embeddings[-1].body == body


def test_a_body_that_is_relayed_reaches_the_provider_byte_for_byte(line):
    body = b'{ "input" : [ 1.0 ],\n"model":"m", "x" : 1 , "x":2 }\n'
    line.through(request(body))
    assert line.provider.embeddings[-1].body == body


def test_a_text_of_a_megabyte_is_answered(line):
    body = json.dumps({"model": "unlimited", "input": "\u20ac" * 350_000}, ensure_ascii=False)
    line.expect_same(request(body.encode()))
