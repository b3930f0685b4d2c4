"""A provider for the tests: says what it is told to, fails when it is told to, and counts."""

import json
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SIZE = 1536
NO_RETRY = {"x-should-retry": "false"}


class FakeProvider:
    """Speaks OpenAI's chat and embeddings on a free port. Texts with words in common have near vectors."""

    def __init__(self):
        self.says = "no JSON"
        self.page = None
        self.good_calls = float("inf")
        self.calls = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._answering())
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def base_url(self):
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path, body):
        """The status and body for a call."""
        self.calls.append((path, body))
        if len(self.calls) > self.good_calls:
            return 500, {"error": {"message": "out of order", "type": "server_error"}}
        if path.endswith("/embeddings"):
            data = [{"object": "embedding", "index": 0, "embedding": vector(body["input"])}]
            return 200, {"object": "list", "model": body["model"], "data": data}
        message = {"role": "assistant", "content": self.says}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return 200, {"id": "c", "object": "chat.completion", "created": 0, "model": body["model"], "choices": [choice]}

    def _answering(self):
        provider = self

        class Answering(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status, answer = provider.answer(self.path, body)
                kind, text = "application/json", json.dumps(answer)
                if provider.page is not None:
                    kind, text = "text/html", provider.page
                self.send_response(status)
                for name, value in {"content-type": kind, "content-length": str(len(text)), **NO_RETRY}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        return Answering


def vector(text):
    """A place for each word."""
    numbers = [0.0] * SIZE
    for word in text.lower().split():
        numbers[zlib.crc32(word.encode()) % SIZE] += 1.0
    return numbers
