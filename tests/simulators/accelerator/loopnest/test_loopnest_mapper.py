"""The mapper: what it draws fits, what it finds is good and always the same, and equal problems are searched once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.architecture import Architecture
from designgym.simulators.accelerator.loopnest.batch import HardwareBatch
from designgym.simulators.accelerator.loopnest.costs import evaluate
from designgym.simulators.accelerator.loopnest.eyeriss import DATAFLOW, Buffer, eyeriss_like
from designgym.simulators.accelerator.loopnest.fit import fit, refusals
from designgym.simulators.accelerator.loopnest.mapper import Goal, Mapper
from designgym.simulators.accelerator.loopnest.mapspace import MapSpace, UnmappableError
from designgym.simulators.accelerator.loopnest.variation import children

CONV = Layer("conv2_1", 64, 64, 3, 3, 56, 56)


def eyeriss(pes: int = 168, mesh_x: int = 14, psum: int = 16, weights: int = 192, ifmap: int = 12, glb: int = 16384) -> Architecture:
    spads = {name: Buffer(depth, 1, 2, 2) for name, depth in (("psum", psum), ("weights", weights), ("ifmap", ifmap))}
    return eyeriss_like(pes=pes, mesh_x=mesh_x, glb=Buffer(glb, 4, 16, 16), **spads)


sizes = st.sampled_from([1, 2, 3, 4, 6, 7, 11, 12, 16, 24])
layers = st.builds(
    Layer, st.just("drawn"), sizes, sizes, st.integers(1, 5), st.integers(1, 5), sizes, sizes, stride=st.integers(1, 2)
)  # fmt: skip


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(layers, st.sampled_from([1, 2, 8]), st.sampled_from([(4, 2), (6, 6), (14, 2)]), st.booleans(), st.integers(0, 99))
def test_whatever_is_drawn_or_varied_is_the_layer_and_fits(layer: Layer, depth: int, mesh: tuple[int, int], free: bool, seed: int) -> None:
    architecture = eyeriss(*mesh, depth, depth, depth, 4)
    space, rng = MapSpace(layer, architecture, None if free else DATAFLOW), np.random.default_rng(seed)
    drawn = space.sample(rng, 20)
    varied = space.repaired(children(space, drawn, rng, 20), rng)
    for genotypes in (drawn, varied):
        batch = space.batch(genotypes)
        assert fit(batch, HardwareBatch.of(architecture)).holds.all()
        for number in range(0, 20, 5):
            mapping = batch.mapping(number)
            assert not refusals(mapping, layer, architecture)
            assert free or mapping.keep == DATAFLOW


def test_all_mappings_of_a_small_layer_are_counted() -> None:
    space = MapSpace(Layer("small", 1, 4, 1, 1, 1, 1), eyeriss(), DATAFLOW)
    assert space.size() == 21 * 720.0**6 * 7  # two factors of 2 on six places; orders of five levels and the array; its splits


@pytest.mark.parametrize("goal", ["latency", "energy", "edp"])
def test_a_search_beats_ten_times_as_many_random_mappings(goal: Goal) -> None:
    architecture = eyeriss()
    found = Mapper(goal, evaluations=2000, keep=DATAFLOW).map(CONV, architecture)
    space = MapSpace(CONV, architecture, DATAFLOW)
    costs = evaluate(space.batch(space.sample(np.random.default_rng(1), 20_000)), HardwareBatch.of(architecture))
    random = {"latency": costs.cycles, "energy": costs.energy_pj, "edp": costs.cycles * costs.energy_pj}[goal].min()
    assert found.history[-1][1] <= random
    assert [value for _, value in found.history] == sorted((value for _, value in found.history), reverse=True)
    assert not refusals(found.mapping, CONV, architecture)
    assert CONV.macs / 168 <= found.cycles and 0 < found.utilisation <= 1
    assert 2000 <= found.evaluations < 2500


def test_the_seed_decides() -> None:
    one, two, other = (Mapper(evaluations=500, seed=seed, keep=DATAFLOW).map(CONV, eyeriss()) for seed in (3, 3, 4))
    assert one == two and one.mapping != other.mapping


def test_equal_problems_are_searched_once() -> None:
    mapper, architecture = Mapper(evaluations=200, keep=DATAFLOW), eyeriss()
    first = mapper.map(CONV, architecture)
    renamed = replace(architecture, name="other", levels=tuple(replace(level, banks=64) for level in architecture.levels))
    assert mapper.map(replace(CONV, name="other"), renamed) is first and mapper.hits == 1
    for differs in (replace(architecture, mesh_x=7), eyeriss(psum=32), eyeriss(glb=1024)):
        assert mapper.map(CONV, differs) is not first
    assert mapper.map(replace(CONV, stride=2), architecture) is not first and mapper.map(CONV, architecture, 300) is not first
    assert mapper.hits == 1


def test_what_cannot_be_mapped_is_said() -> None:
    tiny = replace(eyeriss(), levels=tuple(replace(level, depth=1, block=1) if level.depth else level for level in eyeriss().levels))
    with pytest.raises(UnmappableError, match="shared_glb keeps Inputs, Outputs: it needs room for 2 words or more, it has 1"):
        Mapper(keep=DATAFLOW).map(CONV, tiny)
    assert Mapper(evaluations=50).map(CONV, tiny).cycles >= CONV.macs / 168  # if it may be bypassed, it is
    with pytest.raises(InputError, match="goal of a mapper must be one of latency, energy, edp, got 'speed'"):
        Mapper("speed")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="evaluations of a mapper must be a positive whole number, got 0"):
        Mapper(evaluations=0)


def test_the_array_is_filled_where_single_steps_would_get_stuck() -> None:
    """1,000 outputs on 8 rows: a factor of 8 in place of 5 is three steps away, each of which is worse."""
    found = Mapper("edp", seed=0, keep=DATAFLOW).map(Layer("fc", 1000, 512, 1, 1, 1, 1), eyeriss(64, 8, 64, 64, 64, 4096))
    assert found.cycles == 512 * 1000 / 64 and found.utilisation == 1
