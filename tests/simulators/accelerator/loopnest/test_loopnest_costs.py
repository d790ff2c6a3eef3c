"""The batched model against the scalar one, on random mappings."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.architecture import Architecture, StorageLevel
from designgym.simulators.accelerator.loopnest.batch import HardwareBatch, MappingBatch
from designgym.simulators.accelerator.loopnest.costs import Costs, evaluate
from designgym.simulators.accelerator.loopnest.mapping import LoopMapping, Loops
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


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(st.tuples(mappings(levels=3), architectures(levels=3, array=1)), min_size=1, max_size=4))
def test_equal_to_the_scalar_model_on_fewer_levels(drawn: list[tuple[Case, Architecture]]) -> None:
    cases = [case for case, _ in drawn]
    costs = evaluate(MappingBatch.of([m for m, _ in cases], [layer for _, layer in cases]), HardwareBatch.of([a for _, a in drawn]))
    for number, ((mapping, layer), architecture) in enumerate(drawn):
        assert_equal(costs, number, scalar_model.evaluate(scalar_nest(mapping, layer, architecture)))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(mappings(), min_size=1, max_size=8), architectures())
def test_numpy_and_torch_give_the_same_numbers(drawn: list[Case], architecture: Architecture) -> None:
    batch, hardware = MappingBatch.of([m for m, _ in drawn], [layer for _, layer in drawn]), HardwareBatch.of(architecture)
    ours, theirs = evaluate(batch, hardware), evaluate(batch.map(torch.as_tensor), hardware.map(torch.as_tensor))
    for name, array in vars(ours).items():
        np.testing.assert_array_equal(array, getattr(theirs, name).numpy(), err_msg=name)


def test_batches_are_checked() -> None:
    mapping = LoopMapping((Loops((1,) * 6),) * 5, Loops((1,) * 6), 0, (frozenset(TENSORS),) * 5)
    layer = Layer("one", 1, 1, 1, 1, 1, 1)
    batch = MappingBatch.of([mapping] * 3, layer)
    levels = tuple(StorageLevel(f"level{c}", "DRAM") for c in range(5))
    five, four = (Architecture("a", levels[:count], 3, 4, 2) for count in (5, 4))
    assert batch.mapping(2) == mapping
    with pytest.raises(InputError, match="3 mappings need one architecture for all or one each, got 2"):
        evaluate(batch, HardwareBatch.of([five, five]))
    with pytest.raises(InputError, match="the hardware has 4 levels, the mappings are of 5"):
        evaluate(batch, HardwareBatch.of(four))
    with pytest.raises(InputError, match="the same levels and array"):
        HardwareBatch.of([five, four])
    with pytest.raises(InputError, match="mapping 0: the factors of C multiply to 1, layer 'other' has 2"):
        MappingBatch.of([mapping], Layer("other", 1, 2, 1, 1, 1, 1))
