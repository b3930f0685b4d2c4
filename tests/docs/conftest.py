"""The stage, once for all tests."""

import pytest
from stage import Stage


@pytest.fixture(scope="session")
def stage():
    made = Stage()
    yield made
    made.stop()
