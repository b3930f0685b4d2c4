"""Puts a provider that takes its time, model by model, before one that answers at once.

    python pace.py UPSTREAM_HOST:PORT MODEL=SECONDS…

Listens on a free port of 127.0.0.1 and says `listening pace=ADDR`. Each connection has one of its own to the
provider, so what the provider counts is what came here. Bytes pass unchanged.
"""

import asyncio
import json
import re
import sys

LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)


class Pace:
    """How long the provider takes for each model."""

    def __init__(self, upstream, delays):
        self._host, _, self._port = upstream.rpartition(":")
        self._delays = delays

    async def relay(self, reader, writer):
        """One connection, to the end of either side."""
        try:
            there_reader, there_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.close()
            return
        ways = [self._ask(reader, there_writer), self._answer(there_reader, writer)]
        tasks = [asyncio.create_task(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            there_writer.close()
            writer.close()

    async def _ask(self, reader, writer):
        """Request after request, each held for its model's time."""
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = LENGTH.search(head)
            body = await reader.readexactly(int(length[1])) if length else b""
            await asyncio.sleep(self._delay(body))
            writer.write(head + body)
            await writer.drain()

    async def _answer(self, reader, writer):
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()

    def _delay(self, body):
        return self._delays.get(json.loads(body).get("model"), 0.0) if body else 0.0


async def serve(upstream, delays):
    server = await asyncio.start_server(Pace(upstream, delays).relay, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"listening pace={host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    pairs = (pair.split("=") for pair in sys.argv[2:])
    asyncio.run(serve(sys.argv[1], {model: float(seconds) for model, seconds in pairs}))
