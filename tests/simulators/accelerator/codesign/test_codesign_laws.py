"""Laws of co-design: what the mapper guarantees whatever its effort, and what holds for the best of all mappings."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from designgym.simulators.accelerator.codesign.inner import InnerMapper, Scope
from designgym.simulators.accelerator.codesign.kind_mapspace import ARRAY, ORDERS, KindMapSpace
from designgym.simulators.accelerator.codesign.library import Goal, Library, order_by
from designgym.simulators.accelerator.codesign.machine import HELD, Machine
from designgym.simulators.accelerator.codesign.space import EYERISS, MACHINE_PARAMETERS
from designgym.simulators.accelerator.codesign.traffic import Prices, Traffic, traffic
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.batch import HardwareBatch
from designgym.simulators.accelerator.loopnest.costs import evaluate
from designgym.simulators.accelerator.loopnest.energy import DRAM_PJ_PER_WORD, CactiEnergies, TimeloopEnergies
from designgym.simulators.accelerator.loopnest.mapspace import Genotypes
from designgym.simulators.accelerator.loopnest.problem import TENSORS

LAWS = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LAYERS = (
    Layer("conv", 16, 12, 3, 3, 14, 14), Layer("strided", 8, 6, 5, 3, 7, 14, stride=2), Layer("pointwise", 24, 32, 1, 1, 8, 8),
    Layer("depthwise", 1, 24, 3, 3, 14, 14, depthwise=True), Layer("product", 64, 48, 1, 1, 1, 1),
)  # fmt: skip
GOALS: tuple[Goal, ...] = ("latency", "energy", "edp")
SIZES = ("columns", "rows", "weights_words", "inputs_words", "psums_words", "glb_kib")
BANDWIDTHS = ("glb_words_per_cycle", "dram_words_per_cycle")
TABLE = CactiEnergies()


def mapper(goal: Goal, evaluations: int = 800, scope: Scope = "kind") -> InnerMapper:
    return InnerMapper(goal, evaluations=evaluations, seed=0, table=TABLE, scope=scope)


machines = st.builds(Machine.of, st.fixed_dictionaries({n: st.sampled_from(list(p.values())) for n, p in MACHINE_PARAMETERS.items()}))  # type: ignore[attr-defined]
layers = st.sampled_from(LAYERS)


def goal_of(goal: Goal, layer: Layer, machine: Machine, scope: Scope = "kind") -> float:
    chosen = mapper(goal, scope=scope).choose(layer, machine)
    return {"latency": chosen.cycles, "energy": chosen.energy_pj, "edp": chosen.cycles * chosen.energy_pj}[goal]


def larger(machine: Machine, name: str) -> Machine:
    values = list(MACHINE_PARAMETERS[name].values())  # type: ignore[attr-defined]
    return replace(machine, **{name: values[min(values.index(getattr(machine, name)) + 1, len(values) - 1)]})


@LAWS
@given(machines, layers, st.sampled_from(GOALS), st.sampled_from(BANDWIDTHS))
def test_more_bandwidth_is_never_worse(machine: Machine, layer: Layer, goal: Goal, name: str) -> None:
    assert goal_of(goal, layer, larger(machine, name)) <= goal_of(goal, layer, machine)


@settings(parent=LAWS, max_examples=8)
@given(machines, layers, st.sampled_from(BANDWIDTHS))
def test_more_bandwidth_is_never_worse_for_mappings_of_one_machine(machine: Machine, layer: Layer, name: str) -> None:
    assert goal_of("edp", layer, larger(machine, name), "machine") <= goal_of("edp", layer, machine, "machine")


@LAWS
@given(machines, layers, st.sampled_from(GOALS), st.sampled_from(["columns", "rows"]))
def test_more_elements_are_never_worse(machine: Machine, layer: Layer, goal: Goal, name: str) -> None:
    assert goal_of(goal, layer, larger(machine, name)) <= goal_of(goal, layer, machine)


@LAWS
@given(machines, layers, st.sampled_from(SIZES))
def test_nothing_larger_takes_more_cycles_at_the_fastest_mapping(machine: Machine, layer: Layer, name: str) -> None:
    assert goal_of("latency", layer, larger(machine, name)) <= goal_of("latency", layer, machine)


@LAWS
@given(machines, layers, st.sampled_from(GOALS))
def test_what_a_result_cannot_beat(machine: Machine, layer: Layer, goal: Goal) -> None:
    chosen = mapper(goal).choose(layer, machine)
    assert chosen.cycles >= layer.macs / machine.pes  # utilisation <= 1
    touched = [
        len({layer.stride * p + r for p in range(out) for r in range(taps)}) for out, taps in ((layer.p, layer.r), (layer.q, layer.s))
    ]
    words = layer.weight_words + layer.c * touched[0] * touched[1] + layer.output_words
    assert chosen.dram_words >= words
    assert chosen.energy_pj >= words * DRAM_PJ_PER_WORD + layer.macs * TABLE.mac_pj(16)
    assert chosen.cycles >= (words - layer.output_words) / machine.dram_words_per_cycle


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_more_effort_is_never_worse(layer: Layer) -> None:
    few, many = mapper("edp", 600), mapper("edp", 1500)
    for dataflow in HELD:
        machine = Machine.of({**EYERISS, "dataflow": dataflow})
        assert set(map(tuple, few.library(layer, machine, 600).traffic.rows().T)) <= set(
            map(tuple, many.library(layer, machine, 1500).traffic.rows().T)
        )
        assert many.choose(layer, machine).cycles * many.choose(layer, machine).energy_pj <= (
            few.choose(layer, machine).cycles * few.choose(layer, machine).energy_pj
        )


@LAWS
@given(st.lists(machines, min_size=2, max_size=12), layers, st.sampled_from(GOALS))
def test_what_is_remembered_changes_no_result(several: list[Machine], layer: Layer, goal: Goal) -> None:
    """In whatever order machines come, each gets what a mapper that remembers nothing chooses."""
    shared = mapper(goal)
    varied = [replace(m, dram_words_per_cycle=rate) for m in several for rate in (16, 4, 1)]
    for machine in varied:
        assert shared.choose(layer, machine) == mapper(goal).choose(layer, machine)
    assert shared.hits + shared.misses == len(varied)


@LAWS
@given(machines, layers)
def test_dram_asks_no_more_of_the_global_buffer_than_it_gives(machine: Machine, layer: Layer) -> None:
    """What the space's rule on bandwidths rests on, for every mapping of the library."""
    found = mapper("edp").library(layer, replace(machine, weights_in_glb=True), 800).traffic
    assert np.all(found.dram.max(axis=0) <= found.glb.max(axis=0))


@LAWS
@given(machines, layers, st.booleans())
def test_costs_are_those_of_the_loop_nest_model(machine: Machine, layer: Layer, turned: bool) -> None:
    """Cycles to the last one; energy without the network, where all of an element's buffers are equal, to rounding."""
    machine = replace(machine, weights_words=64, inputs_words=64, psums_words=64)
    library = mapper("edp").library(layer, machine, 800)
    which = np.nonzero(library.traffic.fits(machine))[0][::7]
    found = library.traffic[which]
    if turned:
        assert np.array_equal(found.cycles(machine), found.cycles(replace(machine, columns=machine.rows, rows=machine.columns)))
    hardware = replace(HardwareBatch.of(machine.architecture()), links=False)
    space = KindMapSpace(layer, machine)
    costs = evaluate(space.batch(library._genotypes[which]), hardware)
    assert np.allclose(found.cycles(machine), costs.cycles, rtol=0, atol=1)
    prices = Prices.of(machine, TimeloopEnergies())
    of_element = next(price for price in prices.access_pj[:3] if price)
    without = replace(hardware, access_pj=np.array([[of_element], [prices.access_pj[3]], [prices.access_pj[4]]]))
    expected = evaluate(space.batch(library._genotypes[which]), without).energy_pj
    network = found.delivered * 2 * prices.mac_pj
    assert np.allclose(found.energy_pj(prices, layer.macs) - network, expected, rtol=1e-9)


# ---- the best of all mappings, by looking at every one -------------------------------------------------------------------------------

TINY = Layer("tiny", 4, 2, 1, 1, 2, 1)


def every_mapping(machine: Machine) -> Traffic:
    space = KindMapSpace(TINY, machine)
    places = np.array(list(itertools.product(range(ARRAY + 1), repeat=len(space.items)))).T
    orders = list(itertools.product(range(len(ORDERS)), repeat=2))
    splits = range(7)
    parts = []
    for (glb, dram), split in itertools.product(orders, splits):
        n = places.shape[1]
        order = np.repeat(np.stack([ORDERS[0], ORDERS[glb], ORDERS[dram]])[..., None], n, axis=-1)
        keep = np.repeat(np.array([[t in kept for t in TENSORS] for kept in machine.keep])[..., None], n, axis=-1)
        one = Genotypes(places, order, np.repeat(np.arange(6)[:, None], n, axis=1), np.full(n, split), keep)
        parts.append(traffic(space.batch(one), machine))
    return Traffic(*(np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in vars(parts[0])))


@pytest.mark.parametrize("dataflow", HELD)
@pytest.mark.parametrize("goal", GOALS)
def test_on_a_tiny_layer_the_mapper_finds_the_best_of_all_mappings_within_a_percent(dataflow: str, goal: Goal) -> None:
    machine = Machine.of({**EYERISS, "dataflow": dataflow, "columns": 4, "rows": 4})
    every = every_mapping(machine)
    rng = np.random.default_rng(0)
    for _ in range(20):
        drawn = {name: rng.choice(list(MACHINE_PARAMETERS[name].values())).item() for name in (*SIZES, *BANDWIDTHS)}  # type: ignore[attr-defined]
        some = replace(machine, **drawn)
        fitting = every[np.nonzero(every.fits(some))[0]]
        first, _ = order_by(goal, fitting.cycles(some), fitting.energy_pj(Prices.of(some, TABLE), TINY.macs))
        found = InnerMapper(goal, evaluations=4000, seed=0, table=TABLE).choose(TINY, some)
        value = {"latency": found.cycles, "energy": found.energy_pj, "edp": found.cycles * found.energy_pj}[goal]
        assert first.min() * (1 - 1e-12) <= value <= first.min() * 1.01


def test_the_same_seed_gives_the_same_library() -> None:
    one, two, other = (
        Library(LAYERS[0], Machine.of(EYERISS), goal="edp", evaluations=900, seed=seed, table=TABLE).traffic.rows() for seed in (1, 1, 2)
    )
    assert np.array_equal(one, two) and not np.array_equal(one, other)
