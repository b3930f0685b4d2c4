"""The nouns of these tests: Larder (the built binary), Sdk (the official client, sync or async) and
Bench (a provider, a larder before it, and an SDK to call both with)."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request

import answers
import openai
from outcome import exact, outcome

START = 20.0
LISTENING = re.compile(r"listening proxy=([\d.]+):(\d+) admin=([\d.]+):(\d+)")
MODEL = "text-embedding-3-small"


def _asking_anew(config):
    """The same without the seconds in which a refusal is given again: each is to come from the provider."""
    anew = '[cache]\nnegative_ttl = "0"\n'
    return config.replace("[cache]\n", anew) if "[cache]\n" in config else f"{config}\n{anew}"


class Larder:
    """The binary of $LARDER_BIN before an upstream, on free ports, with its own config file."""

    def __init__(self, upstream, config=""):
        self._folder = tempfile.TemporaryDirectory()
        path = os.path.join(self._folder.name, "larder.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(_asking_anew(config))
        command = [os.environ["LARDER_BIN"], "serve", "--config", path, "--upstream", upstream,
                   "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=_plain_environment())
        self._log = []
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        self._listening.wait(START)
        if self.address is None:
            self.stop()
            raise AssertionError("larder did not start:\n" + self.log)

    @property
    def log(self):
        return "".join(self._log)

    @property
    def address(self):
        found = LISTENING.search(self.log)
        return found and (found[1], int(found[2]))

    @property
    def base_url(self):
        return "http://{}:{}/v1".format(*self.address)

    def until(self, series, value):
        """Waits until a series of /metrics has a value."""
        found = LISTENING.search(self.log)
        url = f"http://{found[3]}:{found[4]}/metrics"
        end = time.monotonic() + START
        while time.monotonic() < end:
            with urllib.request.urlopen(url, timeout=START) as response:
                if f"{series} {value}\n" in response.read().decode():
                    return
            time.sleep(0.01)
        raise AssertionError(f"{series} never was {value}")

    def stop(self):
        """Some SDKs keep their connections open; a second signal does not wait for those."""
        for patience in (0.1, 3):
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(patience)
                break
        else:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stderr.close()
        self._folder.cleanup()

    def _read_log(self):
        for line in self._process.stderr:
            self._log.append(line)
            if LISTENING.search(line):
                self._listening.set()
        self._listening.set()


def _plain_environment():
    """Without what would configure larder from outside."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LARDER_")}


class Sdk:
    """An OpenAI client, sync or async; one for each base URL and set of options."""

    def __init__(self, kind):
        self.kind = kind
        self._loop = asyncio.new_event_loop()
        self._clients = {}

    def client(self, base_url, **options):
        options = {"api_key": "sk-one", "max_retries": 0, "timeout": 30.0, **options}
        key = (base_url, repr(sorted(options.items())))
        if key not in self._clients:
            make = openai.AsyncOpenAI if self.kind == "async" else openai.OpenAI
            self._clients[key] = make(base_url=base_url, **options)
        return self._clients[key]

    def run(self, awaitable):
        return self._loop.run_until_complete(awaitable)

    def outcome(self, base_url, call, **options):
        """The outcome of `call(client)`, which gives a raw response."""
        client = self.client(base_url, **options)
        return self.run(outcome(lambda: call(client)))

    def forget(self, base_url):
        """Closes the clients of a base URL."""
        for key in [key for key in self._clients if key[0] == base_url]:
            self._close(self._clients.pop(key))

    def close(self):
        for client in self._clients.values():
            self._close(client)
        self._loop.close()

    def _close(self, client):
        closing = client.close()
        if closing is not None:
            self.run(closing)


class Bench:
    """The same SDK call, directly and through larder."""

    def __init__(self, provider, larder, sdk):
        self.provider, self.larder, self.sdk = provider, larder, sdk

    def direct(self, *, client=None, **asked):
        return self.sdk.outcome(self.provider.base_url, _embed(asked), **(client or {}))

    def through(self, *, client=None, **asked):
        return self.sdk.outcome(self.larder.base_url, _embed(asked), **(client or {}))

    def both(self, call, **options):
        """The outcomes of any call that gives a raw response."""
        return [self.sdk.outcome(side.base_url, call, **options) for side in (self.provider, self.larder)]

    def together(self, *many):
        """Async calls for embeddings through larder, all at once; each is the arguments of one."""

        async def gather():
            return await asyncio.gather(*(self._started(**asked) for asked in many))

        return self.sdk.run(gather())

    async def _started(self, *, client=None, **asked):
        made = self.sdk.client(self.larder.base_url, **(client or {}))
        return await outcome(lambda: _embed(asked)(made))

    @contextlib.contextmanager
    def provider_calls(self, expected):
        """So many requests for embeddings must reach the provider meanwhile; they are given too."""
        before = len(self.provider.embeddings)
        calls = []
        yield calls
        calls.extend(self.provider.embeddings[before:])
        assert len(calls) == expected, [call.body[:200] for call in calls]

    def expect_same(self, *, stored, **asked):
        """Through larder, a first call has the direct outcome, and so has a second one, which is a
        hit if (and only if) an answer like this may be stored. `stored` None is either."""
        direct = self.direct(**asked)
        with self.provider_calls(1):
            first = self.through(**asked)
            assert first.what == direct.what
        assert first.passed_on == direct.passed_on
        before = len(self.provider.embeddings)
        second = self.through(**asked)
        assert second.what == direct.what
        calls = len(self.provider.embeddings) - before
        if stored is not None:
            assert calls == (0 if stored else 1), second.headers
            assert second.cache_status.startswith("larder; hit") == stored, second.headers
        if calls == 0:
            expect_clean_hit(direct, second)
        return second


def _embed(asked):
    asked = {"model": MODEL, **asked}
    return lambda client: client.embeddings.with_raw_response.create(**asked)


def expect_clean_hit(direct, hit):
    """A stored answer has its own age and none of the headers that were for another caller."""
    assert hit.headers["content-type"].split(";")[0] == "application/json"
    assert int(hit.headers["age"]) >= 0
    foreign = [name for name in hit.headers if name.startswith("x-ratelimit-")]
    assert foreign == []
    assert not {"set-cookie", "retry-after", "openai-processing-ms"} & hit.headers.keys()
    assert hit.headers.get("x-request-id") != direct.headers.get("x-request-id")
    assert not hit.headers.get("x-request-id", "").startswith("prov-")


def pure(*items, model=MODEL, dimensions=answers.DEFAULT_DIMENSIONS, encoding="base64"):
    """The vectors that an SDK must give for these items, to the last bit."""
    read = answers.decimals if encoding == "float" else list
    return [exact(read(answers.vector(model, dimensions, item))) for item in items]


def items_header(got):
    """x-larder-items as numbers."""
    parts = got.headers["x-larder-items"].split(",")
    return {name.strip(): int(count) for name, count in (part.split("=") for part in parts)}
