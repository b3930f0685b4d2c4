#!/usr/bin/env python3
"""A scripted provider on a free loopback port; standard library only. It has OpenAI's shapes, and those
of another family under a path that begins with its name: /anthropic/v1/messages.

It records every request. In a test: `with Provider() as provider`. As a program (`provider.py
--port 0` prints its port) the same is reached over HTTP: GET /__requests, POST /__reset, POST
/__release.
"""

import argparse
import itertools
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import answers
import faults
from answers import Answer, Refused, to_json
from families import anthropic, cohere, gemini, mistral, ollama, openai, voyage
from families.common import Call, Stream
from recorded import Recorded

PATIENCE = 20.0
FAMILIES = {
    "anthropic": anthropic.answer,
    "cohere": cohere.answer,
    "gemini": gemini.answer,
    "mistral": mistral.answer,
    "ollama": ollama.answer,
    "openai": openai.answer,
    "voyage": voyage.answer,
}


class Provider:
    """The server, its record and its switches."""

    def __init__(self, port=0, tls=None):
        self.gate = threading.Event()  # models that are named held… wait for it
        self.gate_opened = True  # whether it opened before the provider's patience ended
        self._changed = threading.Condition()
        self._requests = []
        self._flaky = 0
        self._slow = 0
        self._streamed = 0
        self.serial = itertools.count(1)
        self._server = _Server(("127.0.0.1", port), _Exchange)
        self._server.provider = self
        self._scheme = "http"
        if tls is not None:  # an ssl.SSLContext
            self._scheme = "https"
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self):
        return "127.0.0.1", self._server.server_address[1]

    @property
    def origin(self):
        return "{}://{}:{}".format(self._scheme, *self.address)

    @property
    def base_url(self):
        return f"{self.origin}/v1"

    @property
    def requests(self):
        with self._changed:
            return list(self._requests)

    @property
    def embeddings(self):
        """The requests for embeddings so far."""
        return [request for request in self.requests if request.is_embedding]

    def record(self, request):
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def wait_for(self, count):
        """Waits until so many requests have come."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self._requests) >= count, PATIENCE)
        assert arrived, f"the provider waited for {count} requests and got {len(self._requests)}"

    def reset(self):
        with self._changed:
            self._requests.clear()
            self._flaky = self._slow = self._streamed = 0
        self.gate.clear()
        self.gate_opened = True

    def count_streamed(self, size):
        with self._changed:
            self._streamed += size
            self._changed.notify_all()

    def streamed_until_stuck(self):
        """How many bytes of streams were sent, once that no longer grows."""
        with self._changed:
            self._changed.wait_for(lambda: self._streamed > 0, PATIENCE)
            while True:
                before = self._streamed
                if not self._changed.wait_for(lambda: self._streamed > before, 0.3):
                    return before

    def slow_next(self, seconds):
        """How long the next call for embeddings takes, so that others collect behind it."""
        with self._changed:
            self._slow = seconds

    def take_time(self):
        with self._changed:
            seconds, self._slow = self._slow, 0
        time.sleep(seconds)

    def wait_at_gate(self):
        self.gate_opened &= self.gate.wait(PATIENCE)

    def fail_next(self, count):
        """How many calls to models that are named flaky… fail from now on."""
        with self._changed:
            self._flaky = count

    def takes_failure(self):
        with self._changed:
            fails = self._flaky > 0
            self._flaky -= fails
        return fails


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, *_):
        """A client that went away is none of the provider's business."""


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "scripted", ""
    disable_nagle_algorithm = True
    timeout = 60

    def log_message(self, *_):
        pass

    def exchange(self):
        provider = self.server.provider
        body = self._body()
        if urlsplit(self.path).path.startswith("/__"):
            return self._send(_control(provider, self.path), ())
        headers = tuple((name.lower(), value) for name, value in self.headers.items())
        provider.record(Recorded(self.command, self.path, headers, body))
        try:
            if (self.headers.get("content-encoding") or "identity") == "gzip":
                body = zlib.decompress(body, 31)
            answer = self._answer(provider, body)
        except Refused as refused:
            answer = refused.answer
        send = self._send_stream if isinstance(answer, Stream) else self._send
        send(answer, self._telling_headers(provider))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = exchange

    def _body(self):
        if (self.headers.get("transfer-encoding") or "").lower() == "chunked":
            return b"".join(self._chunks())
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def _chunks(self):
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _answer(self, provider, body):
        """What the family says whose name the path begins with; without one it is OpenAI's."""
        target = urlsplit(self.path)
        family, _, rest = target.path.removeprefix("/").partition("/")
        known = family in FAMILIES
        path = f"/{rest}" if known else target.path
        if self.command == "POST" and not known and path in ("/v1/embeddings", "/v1/moved/embeddings"):
            return _embeddings(provider, body)
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(self.command, path, target.query, headers, body)
        return FAMILIES[family if known else "openai"](call)

    def _send_stream(self, stream, headers):
        self._send_head(200, (("content-type", stream.content_type), ("transfer-encoding", "chunked"), *headers))
        for index, frame in enumerate(stream.frames):
            self._write_chunk(frame)
            self.server.provider.count_streamed(len(frame))
            if index == 0 and stream.held:
                self.server.provider.wait_at_gate()
        self.close_connection |= stream.broken
        if not stream.broken:
            self._write_chunk(b"")

    def _write_chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _telling_headers(self, provider):
        return (
            ("x-request-id", f"prov-{next(provider.serial)}"),
            ("request-id", "req_scripted"),
            ("openai-version", "2020-10-01"),
            ("openai-processing-ms", "7"),
            ("x-ratelimit-limit-requests", "3000"),
            ("x-ratelimit-remaining-requests", "2999"),
            ("set-cookie", "session=provider"),
        )

    def _send(self, answer, headers):
        framing = {"chunked": ("transfer-encoding", "chunked"), "close": ("connection", "close")}
        length = len(answer.body) + (10 if answer.framing == "short" else 0)
        frame = framing.get(answer.framing, ("content-length", str(length)))
        self.close_connection |= answer.framing in ("close", "short")
        self._send_head(answer.status, (*answer.headers, *headers, *(() if answer.status == 204 else (frame,))))
        if self.command == "HEAD" or answer.status == 204:
            return
        if answer.framing == "chunked":
            half = len(answer.body) // 2
            for part in (answer.body[:half], answer.body[half:], b""):
                self._write_chunk(part)
        else:
            self.wfile.write(answer.body)

    def _send_head(self, status, headers):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()


def _control(provider, path):
    if path == "/__requests":
        seen = [{"method": r.method, "target": r.target, "headers": dict(r.headers),
                 "body": r.body.decode("utf-8", "replace")} for r in provider.requests]
        return Answer(200, to_json(seen))
    {"/__reset": provider.reset, "/__release": provider.gate.set}[path]()
    return Answer(200, b"{}")


def _embeddings(provider, body):
    question = answers.read_question(body)
    provider.take_time()
    if question.model.startswith("held"):
        provider.wait_at_gate()
    if question.model in faults.FLAKY and provider.takes_failure():
        raise Refused(faults.FLAKY[question.model])
    faults.refuse(question)
    return faults.answer(question)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    with Provider(parser.parse_args().port) as provider:
        print(provider.address[1], flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
