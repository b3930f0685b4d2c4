"""The stage, once per session."""

import pytest
from stage import Stage


@pytest.fixture(scope="session")
def stage():
    made = Stage()
    yield made
    made.stop()
