"""A provider with a real model: OpenAI's `/v1/embeddings` over all-MiniLM-L6-v2, on a free port of this machine.

Says where it listens, and counts calls and inputs (`GET /__stats`). One call is computed at a time, as on one
graphics card; a call with several inputs computes them together.
"""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from real_model import Model


class Provider(ThreadingHTTPServer):
    """The model, and what was asked of it."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Exchange)
        self._model, self._turn = Model(), threading.Lock()
        self.counted = {"calls": 0, "inputs": 0}

    def answer(self, asked):
        inputs = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        with self._turn:
            self.counted["calls"] += 1
            self.counted["inputs"] += len(inputs)
            vectors, tokens = self._model.embed(inputs)
        written = as_base64 if asked.get("encoding_format") == "base64" else as_floats
        items = [
            {"object": "embedding", "index": index, "embedding": written(vector)}
            for index, vector in enumerate(vectors)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return {"object": "list", "data": items, "model": asked["model"], "usage": usage}


class Exchange(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self):
        self._say(200, self.server.counted)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            self._say(200, self.server.answer(json.loads(body)))
        except (ValueError, KeyError, TypeError) as wrong:
            self._say(400, {"error": {"message": str(wrong), "type": "invalid_request_error"}})

    def _say(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def as_base64(vector):
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def as_floats(vector):
    return vector.tolist()


if __name__ == "__main__":
    provider = Provider()
    print(f"provider=127.0.0.1:{provider.server_port}", flush=True)
    provider.serve_forever()
