"""Qdrant's client before a store that says how often each point was written, through larder with the example's
routes: what it reads twice is asked once, until it writes."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from qdrant_client import QdrantClient
from qdrant_client.models import PointIdsList, PointStruct

EXAMPLE = (Path(__file__).parents[4] / "config/examples/qdrant.toml").read_text()


class Store(BaseHTTPRequestHandler):
    """As much of Qdrant as these tests ask for."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self):
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or "{}")
        path = self.path.split("?")[0]
        self.server.asked.append((self.command, path))
        points = self.server.points.setdefault(path.split("/")[2], {})
        said = json.dumps({"result": result(self.command, path, body, points), "status": "ok", "time": 0.0}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_PUT = answer


def result(method, path, body, points):
    done = {"operation_id": 1, "status": "completed"}
    told = [{"id": point, "version": 1, "score": 1.0, "payload": {"writes": n}} for point, n in points.items()]
    if method == "PUT":
        for point in body["points"]:
            points[point["id"]] = points.get(point["id"], 0) + 1
        return done
    if path.endswith("/delete"):
        for point in body["points"]:
            points.pop(point, None)
        return done
    if path.endswith("/query"):
        return {"points": told}
    if path.endswith("/count"):
        return {"count": len(told)}
    return told


@pytest.fixture
def store():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    server.asked, server.points = [], {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def client(store, start_larder):
    # It waits for its writes.
    text = re.sub(r"^settles.*\n", "", EXAMPLE, flags=re.M)
    larder = start_larder(text.replace("127.0.0.1:6333", "127.0.0.1:%d" % store.server_port))
    client = QdrantClient(url="http://{}:{}/qdrant".format(*larder.address), check_compatibility=False)
    yield client
    client.close()


def writes(client, collection):
    found = client.query_points(collection, query=[0.1, 0.2], limit=3)
    return {point.id: point.payload["writes"] for point in found.points}


def test_what_is_read_twice_is_asked_once_until_it_is_written(store, client):
    point = PointStruct(id=1, vector=[0.1, 0.2], payload={"a": "b"})
    client.upsert("docs", [point])
    for count in (1, 2, 3):
        for _ in range(5):
            assert writes(client, "docs") == {1: count}
            assert client.count("docs").count == 1
            assert client.retrieve("docs", [1])[0].payload == {"writes": count}
        client.upsert("docs", [point])
    reads = [path for method, path in store.asked if method == "POST"]
    assert len(reads) == 9, reads
    client.delete("docs", points_selector=PointIdsList(points=[1]))
    assert writes(client, "docs") == {}


def test_another_collection_stays(store, client):
    point = PointStruct(id=1, vector=[0.1, 0.2])
    for collection in ("docs", "others"):
        client.upsert(collection, [point])
        writes(client, collection)
    client.upsert("others", [point])
    before = len(store.asked)
    assert (writes(client, "docs"), writes(client, "others")) == ({1: 1}, {1: 2})
    assert store.asked[before:] == [("POST", "/collections/others/points/query")]
