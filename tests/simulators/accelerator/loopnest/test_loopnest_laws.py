"""Laws that hold whatever the mapping: bandwidth, capacity, compulsory traffic, utilisation, and conservation between levels."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.architecture import Architecture
from designgym.simulators.accelerator.loopnest.batch import HardwareBatch, MappingBatch
from designgym.simulators.accelerator.loopnest.costs import Costs, evaluate
from designgym.simulators.accelerator.loopnest.fit import fit, refusals
from designgym.simulators.accelerator.loopnest.mapping import LoopMapping
from designgym.simulators.accelerator.loopnest.problem import INPUTS, OUTPUTS, TENSORS, WEIGHTS
from tests.simulators.accelerator.loopnest.random_mappings import architectures, mappings

LAWS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
Case = tuple[LoopMapping, Layer]


def costs(case: Case, architecture: Architecture) -> Costs:
    return evaluate(MappingBatch.of([case[0]], case[1]), HardwareBatch.of(architecture))


def touched(outputs: int, taps: int, stride: int) -> int:
    """Return how many rows of an input are used."""
    return len({stride * p + r for p in range(outputs) for r in range(taps)})


@LAWS
@given(mappings(), architectures(), st.integers(0, 4), st.sampled_from(["read_bandwidth", "write_bandwidth"]))
def test_more_bandwidth_is_never_slower_and_costs_no_energy(case: Case, architecture: Architecture, level: int, which: str) -> None:
    levels = list(architecture.levels)
    levels[level] = replace(levels[level], **{which: 2 * getattr(levels[level], which)})
    before, after = costs(case, architecture), costs(case, replace(architecture, levels=tuple(levels)))
    assert after.cycles[0] <= before.cycles[0] and after.energy_pj[0] == before.energy_pj[0]


@LAWS
@given(mappings(), architectures())
def test_compulsory_traffic_is_a_bound(case: Case, architecture: Architecture) -> None:
    layer, found = case[1], costs(case, architecture)
    inputs = layer.c * touched(layer.p, layer.r, layer.stride) * touched(layer.q, layer.s, layer.stride)
    outermost = len(architecture.levels) - 1
    assert found.reads[outermost, WEIGHTS, 0] >= layer.weight_words
    assert found.reads[outermost, INPUTS, 0] >= inputs
    assert found.updates[outermost, OUTPUTS, 0] >= layer.output_words
    words = layer.weight_words + inputs + layer.output_words
    per_word = HardwareBatch.of(architecture).access_pj[outermost, 0] / architecture.levels[outermost].block
    assert found.energy_pj[0] >= layer.macs + words * per_word


@LAWS
@given(mappings(), architectures())
def test_no_more_is_done_than_the_array_can(case: Case, architecture: Architecture) -> None:
    found = costs(case, architecture)
    assert found.cycles[0] * found.used_pes[0] >= found.macs[0] == case[1].macs
    if not refusals(*case, architecture):
        assert found.utilisation[0] <= 1


@LAWS
@given(st.lists(mappings(), min_size=1, max_size=10), architectures(), st.integers(0, 3))
def test_larger_buffers_admit_every_mapping_that_fitted(cases: list[Case], architecture: Architecture, level: int) -> None:
    batch = MappingBatch.of([mapping for mapping, _ in cases], [layer for _, layer in cases])
    levels = list(architecture.levels)
    levels[level] = replace(levels[level], depth=2 * (levels[level].depth or 1))
    before = fit(batch, HardwareBatch.of(architecture)).holds
    after = fit(batch, HardwareBatch.of(replace(architecture, levels=tuple(levels)))).holds
    assert np.all(after >= before)
    refused = [bool(refusals(mapping, layer, architecture)) for mapping, layer in cases]
    assert refused == (~before).tolist()


@LAWS
@given(mappings(), architectures())
def test_words_are_conserved_between_levels(case: Case, architecture: Architecture) -> None:
    """What a level is filled with, the next one that keeps the tensor has read; over the array, at most once for each element."""
    mapping, found = case[0], costs(case, architecture)
    for tensor, name in enumerate(TENSORS):
        keepers = [level for level, kept in enumerate(mapping.keep) if name in kept]
        for inner, outer in itertools.pairwise(keepers):
            fills = found.fills[inner, tensor, 0] * found.instances[inner, 0]
            reads = found.reads[outer, tensor, 0] * found.instances[outer, 0]
            if outer == architecture.array - 1 and found.used_pes[0] > 1:
                assert fills <= reads  # neighbours may read what they need from this level, over links
            elif outer < architecture.array or inner >= architecture.array or found.used_pes[0] == 1:
                assert fills == reads, (name, inner, outer)
            elif tensor == WEIGHTS:  # inputs may come over links, partial sums are added on the way
                assert reads <= fills <= reads * found.used_pes[0]
