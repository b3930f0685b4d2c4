"""HTTP/1.1 by hand, for requests that no SDK sends."""

import contextlib
import http.client
import io
import json
import socket
from dataclasses import dataclass

from outcome import exact

PATIENCE = 15.0
HEADERS = {"host": "localhost", "authorization": "Bearer sk-raw", "content-type": "application/json"}


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict
    body: bytes

    @property
    def view(self):
        """What must be the same directly and through larder. An error is compared in its bytes, a
        200 in its values."""
        told = {name: self.headers.get(name) for name in ("content-type", "location", "allow", "retry-after")}
        return self.status, told, self._content

    @property
    def _content(self):
        if self.status != 200:
            return self.body
        try:
            return exact(json.loads(self.body))
        except ValueError:
            return self.body

    @property
    def cache_status(self):
        return self.headers.get("cache-status", "")

    @property
    def vectors(self):
        return [exact(item["embedding"]) for item in json.loads(self.body)["data"]]


class Wire:
    """One connection."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self, method="POST"):
        """The next final response."""
        response = http.client.HTTPResponse(_Shared(self.file), method=method)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Response(response.status, headers, response.read())

    def interim(self):
        """The status of an interim response: its head is all there is of it."""
        status = int(self.file.readline().split()[1])
        while self.file.readline().strip():
            pass
        return status

    @property
    def is_closed(self):
        """Whether the server closes now, rather than wait for another request."""
        with contextlib.suppress(ConnectionError):
            return self.file.read(1) == b""
        return True


class _Shared(io.RawIOBase):
    """Lets several responses be read one after the other from the same buffered file."""

    def __init__(self, file):
        self._file = file

    def makefile(self, _mode):
        return self

    def readline(self, *limit):
        return self._file.readline(*limit)

    def read(self, *size):
        return self._file.read(*size)

    def readinto(self, buffer):
        return self._file.readinto(buffer)

    def close(self):
        pass


def request(body=b"", *, method="POST", target="/v1/embeddings", version="HTTP/1.1", length=True, headers=None):
    """A request as bytes. Headers with the value None are left out."""
    all_headers = {**HEADERS, **({"content-length": len(body)} if length else {}), **(headers or {})}
    lines = [f"{method} {target} {version}"]
    lines += [f"{name}: {value}" for name, value in all_headers.items() if value is not None]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def question(input="a text", **more):
    return json.dumps({"model": "text-embedding-3-small", "input": input, **more}).encode()


def exchange(address, data, method="POST"):
    with Wire(address) as wire:
        wire.send(data)
        return wire.receive(method)


class Line:
    """The same bytes, directly and through larder."""

    def __init__(self, provider, larder):
        self.provider, self.larder = provider, larder

    def direct(self, data, method="POST"):
        return exchange(self.provider.address, data, method)

    def through(self, data, method="POST"):
        return exchange(self.larder.address, data, method)

    def expect_same(self, data, method="POST", times=2):
        """Each time through larder is as it is directly."""
        direct = self.direct(data, method)
        for _ in range(times):
            through = self.through(data, method)
            assert through.view == direct.view
        return through
