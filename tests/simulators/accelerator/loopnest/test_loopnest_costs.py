"""The batched model against the scalar one, on random mappings."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.architecture import Architecture
from designgym.simulators.accelerator.loopnest.batch import HardwareBatch, MappingBatch
from designgym.simulators.accelerator.loopnest.costs import Costs, evaluate
from designgym.simulators.accelerator.loopnest.mapping import LoopMapping
from designgym.simulators.accelerator.loopnest.problem import TENSORS
from tests.simulators.accelerator.loopnest import scalar_model
from tests.simulators.accelerator.loopnest.random_mappings import architectures, mappings, scalar_nest

Case = tuple[LoopMapping, Layer]


def assert_equal(ours: Costs, number: int, theirs: scalar_model.ScalarCounts) -> None:
    assert (ours.cycles[number], ours.macs[number]) == (theirs.cycles, theirs.macs)
    assert ours.instances[:, number].tolist() == theirs.instances
    for what in ("reads", "updates", "fills"):
        batched = getattr(ours, what)[:, :, number].tolist()
        assert batched == [[level.get(tensor, 0) for tensor in TENSORS] for level in getattr(theirs, what)], what
    level_pj = [[level.get(tensor, 0.0) for tensor in TENSORS] for level in theirs.level_pj]
    np.testing.assert_allclose(ours.level_pj[:, :, number], level_pj, rtol=1e-13)
    np.testing.assert_allclose(ours.energy_pj[number], theirs.energy_pj, rtol=1e-13)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(st.tuples(mappings(), architectures()), min_size=1, max_size=6))
def test_equal_to_the_scalar_model_on_any_mapping_and_hardware(drawn: list[tuple[Case, Architecture]]) -> None:
    cases, hardware = [case for case, _ in drawn], [architecture for _, architecture in drawn]
    costs = evaluate(MappingBatch.of([m for m, _ in cases], [layer for _, layer in cases]), HardwareBatch.of(hardware), chunk=4)
    for number, ((mapping, layer), architecture) in enumerate(drawn):
        assert_equal(costs, number, scalar_model.evaluate(scalar_nest(mapping, layer, architecture)))
