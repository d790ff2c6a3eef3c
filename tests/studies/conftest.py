"""What the tests of studies share: the counting environment, registered as users' plugins are."""

from pathlib import Path

import pytest

from designgym.core import registry
from designgym.core.registry import EnvironmentSpec
from designgym.studies.plugins import load_plugin

PLUGIN = Path(__file__).parent / "counting_env.py"


@pytest.fixture(autouse=True, scope="session")
def counting_environment() -> EnvironmentSpec:
    load_plugin(PLUGIN)
    return registry.spec("test/Counting-v0")
