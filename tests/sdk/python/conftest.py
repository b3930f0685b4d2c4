import os
import ssl

import pytest

pytest.register_assert_rewrite("harness", "wire")  # so that a failure there shows what differs

from harness import Bench, Larder, Sdk  # noqa: E402
from provider import Provider  # noqa: E402

MERGING = '[providers.openai]\nbatch_gap = "800ms"\n'
# With one call under way and one more, what waits is not shared out.
PATIENTLY_MERGING = '[providers.openai]\nbatch_gap = "2s"\nmax_connections = 2\n'
FORWARDING = '[providers.openai]\noversize = "forward"\n'


def pytest_configure(config):
    if not os.path.isfile(os.environ.get("LARDER_BIN", "")):
        raise pytest.UsageError("LARDER_BIN must name the larder binary")
    # A proxy of the machine must not stand between these tests and loopback.
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("OPENAI_"):
            del os.environ[name]
    # Each client of an SDK reads the machine's certificates, which takes longer than a test, and loopback
    # needs none.
    ssl.SSLContext.load_verify_locations = lambda *_, **__: None


@pytest.fixture(scope="session")
def shared_provider():
    with Provider() as provider:
        yield provider


@pytest.fixture
def provider(shared_provider):
    """A provider with nothing on record."""
    shared_provider.reset()
    yield shared_provider
    shared_provider.gate.set()


@pytest.fixture
def start_larder(provider):
    """Starts larders with a config; an empty cache each. A panic in any fails the test."""
    started = []

    def start(config=""):
        started.append(Larder(provider.base_url, config))
        return started[-1]

    yield start
    for larder in started:
        larder.stop()
    for larder in started:
        assert "panicked" not in larder.log, larder.log


@pytest.fixture
def larder(start_larder):
    return start_larder()


@pytest.fixture(scope="session")
def sdks():
    made = {kind: Sdk(kind) for kind in ("sync", "async")}
    yield made
    for sdk in made.values():
        sdk.close()


@pytest.fixture(params=["sync", "async"])
def sdk(request, sdks):
    return sdks[request.param]


@pytest.fixture
def bench(provider, larder, sdk):
    """Directly and through larder, once with the sync and once with the async client."""
    yield Bench(provider, larder, sdk)
    sdk.forget(larder.base_url)


@pytest.fixture
def make_bench(provider, start_larder, sdks):
    """Builds a bench with the async client and a config of its own."""
    made = []

    def make(config=""):
        made.append(Bench(provider, start_larder(config), sdks["async"]))
        return made[-1]

    yield make
    for bench in made:
        bench.sdk.forget(bench.larder.base_url)


@pytest.fixture
def crowd(provider, make_bench):
    """For many callers at once: what comes while a call is under way goes out together."""
    provider.slow_next(0.8)
    return make_bench(MERGING)


@pytest.fixture
def large_crowd(provider, make_bench):
    """Collects for longer, so that many inputs are sure to go out together."""
    provider.slow_next(2.0)
    return make_bench(PATIENTLY_MERGING)


@pytest.fixture
def forwarding(make_bench):
    """Passes on what is over the provider's limits."""
    return make_bench(FORWARDING)
