"""ArchGym's 26 parameters, and the rules on what has no effect: exact for every mapping, so for the mapper's too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.batch import HardwareBatch
from designgym.simulators.accelerator.loopnest.costs import evaluate
from designgym.simulators.accelerator.loopnest.energy import CactiEnergies, TimeloopEnergies, area_um2
from designgym.simulators.accelerator.loopnest.eyeriss import DATAFLOW
from designgym.simulators.accelerator.loopnest.eyeriss_space import UNIT_STRIDE, eyeriss_architecture, eyeriss_space
from designgym.simulators.accelerator.loopnest.mapspace import MapSpace

sizes = st.sampled_from([1, 2, 3, 4, 6, 8, 9, 16])
layers = st.builds(
    Layer, st.just("drawn"), sizes, sizes, st.integers(1, 4), st.integers(1, 4), sizes, sizes, stride=st.integers(1, 3)
)  # fmt: skip


def test_it_is_archgyms_space() -> None:
    space = eyeriss_space()
    assert len(space.parameters) == 26
    assert space.size() == pytest.approx(2.16e18, rel=0.005)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(layers, st.integers(0, 10_000))
def test_the_canonical_design_costs_the_same_on_every_mapping(layer: Layer, seed: int) -> None:
    space, rng = eyeriss_space(), np.random.default_rng(seed)
    (design,) = space.sample(rng)
    canonical = space.canonical(design, frozenset({UNIT_STRIDE} if layer.stride == 1 else ()))
    one, two = eyeriss_architecture(design), eyeriss_architecture(canonical)
    mappings = MapSpace(layer, one, DATAFLOW)
    batch = mappings.batch(mappings.sample(rng, 100))
    for table in (TimeloopEnergies(), CactiEnergies(28)):
        before, after = (evaluate(batch, HardwareBatch.of(architecture, table)) for architecture in (one, two))
        for name, array in vars(before).items():
            np.testing.assert_array_equal(array, getattr(after, name), err_msg=name)
    assert area_um2(one) == area_um2(two)


def test_a_stride_makes_the_input_scratchpads_bandwidth_matter() -> None:
    """Without the trait the bandwidth stays in the key, as it must: here it costs cycles."""
    layer, space = Layer("strided", 1, 1, 1, 1, 8, 8, stride=3), eyeriss_space()
    slow = {**space.default(), "IfmapSpadWriteBandwidth": 2}
    fast = {**slow, "IfmapSpadWriteBandwidth": 16}
    assert space.canonical(slow) != space.canonical(fast)
    mappings = MapSpace(layer, eyeriss_architecture(slow), DATAFLOW)
    batch = mappings.batch(mappings.sample(np.random.default_rng(0), 500))
    cycles = [evaluate(batch, HardwareBatch.of(eyeriss_architecture(design))).cycles for design in (slow, fast)]
    assert np.any(cycles[0] > cycles[1]) and np.all(cycles[0] >= cycles[1])
