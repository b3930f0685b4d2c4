"""The environment of the blocks: the simulated provider, larder in front of it, and a Redis."""

import contextlib
import json
import pathlib
import re
import signal
import socket
import subprocess
import tempfile

from tree import LARDER, plain_environment

LISTENING = re.compile(r"listening (?:provider|proxy)=(\S+)(?: admin=(\S+))?")
# Path prefixes of the simulated provider's dialects.
PLACES = {"mistral": "/mistral", "tei": "/tei", "together": "/together/v1", "voyage": "/voyage/v1"}
NAMES = ("anthropic", "azure", "cohere", "gemini", "mistral", "ollama", "tei", "vllm", "voyage")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def started(*arguments, **variables):
    """Starts larder. Returns the process and the addresses of its start-up line."""
    command = [LARDER, *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=plain_environment() | variables)
    for line in process.stderr:
        if found := LISTENING.search(line):
            return process, found[1], found[2]
    raise AssertionError(f"{command} does not listen")


def end(process):
    """Ends a process. The second signal does not wait for connections that SDKs keep open."""
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)


@contextlib.contextmanager
def sidecar(*arguments, **variables):
    """A sidecar for one test: the addresses of its proxy and its admin listener."""
    process, proxy, admin = started("--listen", "127.0.0.1:0", *arguments, **variables)
    try:
        yield proxy, admin
    finally:
        end(process)


class Stage:
    """The simulated provider, larder in front of it with an entry for each provider name, and a Redis that larder does
    not use."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory()
        self._processes, self.redis = [], free_port()
        redis = ["redis-server", "--port", str(self.redis), "--save", "", "--dir", self._folder.name]
        self._processes.append(subprocess.Popen(redis, stdout=subprocess.DEVNULL))
        self.provider, _ = self._start("simulate", "--listen", "127.0.0.1:0", "--latency", "1ms", "--chunk-delay", "0")
        config = pathlib.Path(self._folder.name) / "larder.toml"
        config.write_text("".join(self._provider(name) for name in NAMES))
        listen = ("--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
        self.proxy, self.admin = self._start("--config", config, *listen, "--upstream", f"http://{self.provider}/v1")

    def variables(self):
        """An application's environment: base URLs and a key."""
        told = subprocess.run([LARDER, "env", "--json", "--admin-listen", self.admin], capture_output=True, check=True)
        return json.loads(told.stdout) | {"OPENAI_API_KEY": "sk-docs"}

    def here(self, text):
        """A document's text, with the addresses of this stage."""
        for documented, here in (("5273", self.proxy), ("5274", self.admin), ("9000", self.provider)):
            text = re.sub(rf"(?:127\.0\.0\.1|localhost):{documented}\b", here, text)
        return text.replace("https://api.openai.com/v1", f"http://{self.provider}/v1")

    def stop(self):
        for process in reversed(self._processes):
            end(process)
        self._folder.cleanup()

    def _start(self, *arguments):
        process, address, admin = started(*map(str, arguments))
        self._processes.append(process)
        return address, admin

    def _provider(self, name):
        place = PLACES.get(name, "")
        return f'[providers.{name}]\nbase_url = "http://{self.provider}{place}"\n'
