"""What the tests of studies share: the counting environment and a probed one, registered as users' plugins are."""

from collections.abc import Sequence
from pathlib import Path

import pytest

import designgym as dg
from designgym.core import registry
from designgym.core.metrics import MetricSpec
from designgym.core.protocols import Resources
from designgym.core.registry import EnvironmentSpec
from designgym.studies.plugins import load_plugin

PLUGIN = Path(__file__).parent / "counting_env.py"


@pytest.fixture(autouse=True, scope="session")
def counting_environment() -> EnvironmentSpec:
    load_plugin(PLUGIN)
    return registry.spec("test/Counting-v0")


class ProbedSimulator:
    """Designs with equal ``a // 4`` and ``b`` behave alike; the probe sees it, the canonical key does not."""

    name, version, deterministic = "probed", "1", True
    space = dg.DesignSpace(a=dg.Integer(0, 15), b=dg.Integer(0, 7))
    metrics: tuple[MetricSpec, ...] = (dg.metric("cost_ns", goal="min"),)
    resources = Resources()

    def __init__(self, lie: bool = False) -> None:
        self.lie, self.calls = lie, 0

    def evaluate(self, designs: Sequence[dg.Design], workload: dg.Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[dg.Metrics]:
        self.calls += len(designs)
        return [dg.Metrics({"cost_ns": float((d["a"] // 4 - 2) ** 2 + (d["b"] - 3) ** 2)}) for d in designs]

    def probe(self, designs: Sequence[dg.Design], workload: dg.Workload, *, seed: int = 0) -> list[bytes]:
        return [b"%d" % (d["a"] // 4) if self.lie else b"%d %d" % (d["a"] // 4, d["b"]) for d in designs]


def probed_environment(simulator: ProbedSimulator) -> EnvironmentSpec:
    """Return an environment around it that is not registered."""
    from designgym.core.registry import FixedWorkloads

    return EnvironmentSpec("test/Probed-v0", lambda: simulator, FixedWorkloads({"w": 1}), {"cost": dg.minimize("cost_ns")}, "w")
