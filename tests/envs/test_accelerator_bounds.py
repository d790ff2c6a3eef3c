"""What no design of an accelerator environment can beat, whatever its mapper finds: the work of its array and the compulsory traffic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import designgym.envs
from designgym.core.design import Design
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.accelerator import make_workload
from designgym.simulators.accelerator.loopnest.energy import DRAM_PJ_PER_WORD
from designgym.simulators.accelerator.network import Network


@dataclass(frozen=True)
class Case:
    env_id: str
    options: dict[str, object]
    energy_in_pj: tuple[str, float]

    def elements(self, design: Design) -> int:
        return design["NumPEs"] if "NumPEs" in design else design["columns"] * design["rows"]


CASES = (
    Case("designgym/EyerissAccelerator-v0", {"mapper_evaluations": 300}, ("energy_uj", 1e6)),
    Case("designgym/AcceleratorCodesign-v0", {"mapper_evaluations": 300, "mapper_scope": "machine"}, ("energy_pj", 1.0)),
)
layers = st.builds(
    Layer, st.just("layer"), k=st.sampled_from([4, 24, 96]), c=st.sampled_from([3, 16, 60]), r=st.sampled_from([1, 3]),
    s=st.sampled_from([1, 3]), p=st.sampled_from([1, 7, 14]), q=st.sampled_from([7, 12]),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.env_id)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(layer=layers, seed=st.integers(0, 2**32))
def test_no_design_beats_its_array_or_the_compulsory_traffic(case: Case, layer: Layer, seed: int) -> None:
    simulator = designgym.envs.environment(case.env_id).simulator(**case.options)
    designs = simulator.space.sample(np.random.default_rng(seed), 4)
    name, unit_pj = case.energy_in_pj
    words = layer.weight_words + layer.input_words + layer.output_words
    for design, result in zip(designs, simulator.evaluate(designs, make_workload(Network("one", ((layer, 1),)))), strict=True):
        assert result.ok, (design, result)
        elements = case.elements(design)
        assert result["latency_cycles"] * elements >= layer.macs
        assert result["utilisation"] == pytest.approx(layer.macs / (result["latency_cycles"] * elements)) and result["utilisation"] <= 1
        assert result[name] * unit_pj >= words * DRAM_PJ_PER_WORD
        assert result["area_mm2"] > 0
