import os

import pytest

pytest.register_assert_rewrite("rig")

from rig import Rig, config_of  # noqa: E402

# What would send an SDK elsewhere or make it read keys of the machine.
FOREIGN = ("ANTHROPIC_", "CO_API_", "COHERE_", "VOYAGE_", "MISTRAL_", "GEMINI_", "GOOGLE_", "OLLAMA_", "LITELLM_")


def pytest_configure():
    for name in list(os.environ):
        if name.startswith(FOREIGN):
            del os.environ[name]
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # not from the net


@pytest.fixture(params=["sync", "async"])
def kind(request):
    return request.param


@pytest.fixture
def make_rig(request, provider, start_larder, kind):
    """Rigs of the module's SDK that share a larder."""
    larder = start_larder(config_of(provider))

    def make(family):
        return Rig(provider, larder, family, kind, request.module)

    return make


@pytest.fixture
def rig(request, make_rig):
    return make_rig(request.module.FAMILY)
