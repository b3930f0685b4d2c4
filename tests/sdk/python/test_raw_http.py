"""HTTP as no SDK speaks it: cases 56 to 64 and 67 of providers.md section 13."""

import gzip
import json

import pytest
from wire import HEADERS, Line, Wire, question, request

BODY = question("a text")


@pytest.fixture
def line(provider, larder):
    return Line(provider, larder)


def chunked(body, size=7):
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in [*parts, b""])


def as_chunks(body, **more):
    headers = {"transfer-encoding": "chunked", **more}
    return request(length=False, headers=headers) + chunked(body)


def test_a_chunked_body_has_the_direct_answer_and_shares_the_entry(line):
    line.expect_same(as_chunks(BODY))
    assert line.through(request(BODY)).cache_status.startswith("larder; hit")


def test_a_gzip_body_has_the_direct_answer(line):
    line.expect_same(request(gzip.compress(BODY), headers={"content-encoding": "gzip"}))


def test_a_chunked_gzip_body_has_the_direct_answer(line):
    line.expect_same(as_chunks(gzip.compress(BODY), **{"content-encoding": "gzip"}))


def test_http_1_0_is_answered_and_closed(line):
    data = request(BODY, version="HTTP/1.0")
    line.expect_same(data)
    with Wire(line.larder.address) as wire:
        wire.send(data)
        response = wire.receive()
        assert response.status == 200 and "transfer-encoding" not in response.headers
        assert wire.is_closed


def test_connection_close_is_honoured(line):
    with Wire(line.larder.address) as wire:
        wire.send(request(BODY, headers={"connection": "close"}))
        assert wire.receive().view == line.direct(request(BODY)).view
        assert wire.is_closed


def test_a_connection_is_kept_for_the_next_request(line):
    with Wire(line.larder.address) as wire:
        for text in ("one", "two", "one"):
            data = request(question(text))
            wire.send(data)
            assert wire.receive().view == line.direct(data).view


def test_pipelined_requests_are_answered_in_order(line):
    many = [request(question(f"text {i}")) for i in (1, 2, 3, 1)] + [request(b"{")] + [request(question("text 2"))]
    with Wire(line.larder.address) as wire:
        wire.send(b"".join(many))
        answers = [wire.receive() for _ in many]
    assert [answer.view for answer in answers] == [line.direct(data).view for data in many]


def test_expect_100_continue_is_answered_before_the_body(line):
    head = request(length=False, headers={"content-length": len(BODY), "expect": "100-continue"})
    with Wire(line.larder.address) as wire:
        wire.send(head)
        assert wire.interim() == 100
        wire.send(BODY)
        assert wire.receive().view == line.direct(request(BODY)).view


@pytest.mark.parametrize("method, target", [
    ("HEAD", "/v1/models"),
    ("HEAD", "/v1/no/such/path"),
    ("OPTIONS", "/v1/embeddings"),
    ("GET", "/v1/models"),
    ("GET", "/v1/embeddings"),
    ("GET", "/v1/no/such/path?a=1&a=2&b=%2F%20+"),
    ("POST", "/v1/no/such/path"),
    ("DELETE", "/v1/files/file-9"),
    ("PUT", "/v1/embeddings"),
    ("PATCH", "/v1/embeddings"),
    ("PURGE", "/v1/embeddings"),
    ("POST", "/v1/Embeddings"),
    ("POST", "/v1/%65mbeddings"),
    ("POST", "/v1/embeddings/x"),
])
def test_another_method_or_path_has_the_direct_answer(line, method, target):
    line.expect_same(request(BODY if method == "POST" else b"", method=method, target=target), method)


def test_a_path_with_two_slashes_in_front_never_chooses_the_upstream(line):
    data = request(BODY, target="//other.invalid/v1/embeddings")
    assert line.through(data).status == line.direct(data).status == 404
    assert len(line.provider.requests) == 2


@pytest.mark.parametrize("target", ["/v1/embeddings/", "/v1//embeddings", "//v1/embeddings"])
def test_a_path_with_more_slashes_is_what_the_application_meant(line, target):
    assert line.through(request(BODY, target=target)).view == line.direct(request(BODY)).view
    assert line.provider.embeddings[0].target == "/v1/embeddings"


def test_a_path_without_the_version_is_what_an_sdk_with_such_a_base_url_means(line):
    assert line.through(request(BODY, target="/embeddings")).view == line.direct(request(BODY)).view
    assert line.provider.embeddings[0].target == "/v1/embeddings"


def test_a_query_is_kept_and_splits_the_key(line):
    for target in ("/v1/embeddings?api-version=1&x=%20y", "/v1/embeddings?api-version=2"):
        line.expect_same(request(BODY, target=target))
        assert line.provider.embeddings[-1].target == target
    assert line.through(request(BODY)).cache_status.startswith("larder; fwd=miss")


def test_a_client_never_chooses_the_upstream_by_host_or_absolute_address(line):
    direct = line.direct(request(BODY))
    for data in (request(BODY, headers={"host": "other.invalid"}),
                 request(BODY, target="http://other.invalid/v1/embeddings"),
                 request(question("new"), headers={"x-forwarded-host": "other.invalid"})):
        assert line.through(data).status == direct.status
    host = "{}:{}".format(*line.provider.address)
    assert {call.header("host") for call in line.provider.requests[1:]} == {host}


def test_a_head_of_60_kib_is_taken(line):
    headers = {f"x-long-{i}": "v" * 5_000 for i in range(12)}
    line.expect_same(request(BODY, headers=headers))
    assert line.provider.embeddings[-1].header("x-long-11") == "v" * 5_000


def test_a_redirect_of_the_provider_is_passed_on(line):
    through = line.expect_same(request(question("a", model="fault-307")))
    assert (through.status, through.headers["location"]) == (307, "/v1/moved/embeddings")


def test_an_empty_cookie_alters_nothing(line):
    line.through(request(BODY))
    hit = line.through(request(BODY, headers={"cookie": ""}))
    assert hit.cache_status.startswith("larder; hit")
    assert hit.view == line.direct(request(BODY)).view


def test_a_cookie_is_somebody(line):
    for cookie in ("session=a", "session=b"):
        assert line.through(request(BODY, headers={"cookie": cookie})).cache_status.startswith("larder; fwd=miss")


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/json; charset=utf-8"])
def test_a_content_type_is_not_asked_for(line, content_type):
    line.expect_same(request(BODY, headers={"content-type": content_type}))


def test_header_names_and_values_are_passed_on(line):
    line.through(request(BODY, headers={"X-Odd": "caf\u00e9 \t x", "accept-language": "de"}))
    sent = line.provider.embeddings[-1]
    assert sent.header("x-odd").encode("latin-1") == "caf\u00e9 \t x".encode()
    assert sent.header("authorization") == HEADERS["authorization"]
    assert sent.header("content-length") is not None


def test_hop_by_hop_headers_stay_on_their_hop(line):
    headers = {"connection": "keep-alive, x-hop", "x-hop": "1", "keep-alive": "timeout=5", "te": "trailers",
               "proxy-authorization": "Basic eA==", "proxy-connection": "keep-alive"}
    line.through(request(BODY, headers=headers))
    told = {name for name, _ in line.provider.embeddings[-1].headers}
    assert not told & {"x-hop", "keep-alive", "te", "proxy-authorization", "proxy-connection"}


def test_nothing_is_added_that_tells_of_a_proxy(line):
    line.through(request(BODY))
    told = {name for name, _ in line.provider.embeddings[-1].headers}
    assert not {name for name in told if name.startswith(("x-forwarded", "x-larder")) or name in ("via", "forwarded")}


def test_a_body_in_small_pieces_is_one_body(line):
    with Wire(line.larder.address) as wire:
        data = request(BODY)
        for byte in range(0, len(data), 11):
            wire.send(data[byte : byte + 11])
        assert wire.receive().view == line.direct(data).view


def test_the_reply_has_a_length(line):
    for _ in range(2):
        response = line.through(request(BODY))
        assert int(response.headers["content-length"]) == len(response.body)
        assert json.loads(response.body)["object"] == "list"


def test_a_reader_that_waits_makes_the_provider_wait(line):
    """Nothing between holds the whole of a stream that nobody reads yet; in the end all of it comes."""
    messages = [{"role": "user", "content": "hello"}]
    asked = json.dumps({"model": "large-stream", "stream": True, "messages": messages}).encode()
    with Wire(line.larder.address) as wire:
        wire.send(request(asked, target="/v1/chat/completions"))
        held = line.provider.streamed_until_stuck()
        answer = wire.receive()
    assert held < len(answer.body) / 2
    assert len(answer.body) == line.provider.streamed_until_stuck()
    assert answer.body.endswith(b"data: [DONE]\n\n")
