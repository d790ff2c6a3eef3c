"""Laws of the mapping environment's model, on random designs and layers."""

import itertools
import math
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from designgym.core.design import Design
from designgym.core.metrics import Metrics
from designgym.core.workload import Workload
from designgym.simulators.accelerator.datacentric.accounting import ENERGY, EnergyTable, compulsory_energy_nj, full, layer_work
from designgym.simulators.accelerator.datacentric.batch import Batch, Hardware
from designgym.simulators.accelerator.datacentric.design_batch import layer_batches, mapping_of
from designgym.simulators.accelerator.datacentric.exact import count
from designgym.simulators.accelerator.datacentric.model import evaluate
from designgym.simulators.accelerator.datacentric.simulator import Accounting, MaestroMapping
from designgym.simulators.accelerator.datacentric.space import ORDERS, PARALLEL, TILED, mapping_space
from designgym.simulators.accelerator.datacentric.workloads import make_workload
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.network import Network

seeds = st.integers(0, 2**32 - 1)


def random_layer(rng: np.random.Generator) -> Layer:
    depthwise = bool(rng.random() < 0.3)
    k, c, p, q = (int(rng.integers(1, 20)) for _ in range(4))
    window, stride = int(rng.choice([1, 1, 3, 3, 5])), int(rng.choice([1, 1, 2, 4]))
    return Layer("random", 1 if depthwise else k, c, window, int(rng.choice([1, window])), p, q, stride, depthwise)


def random_network(rng: np.random.Generator) -> Network:
    return Network("random", tuple((random_layer(rng), int(rng.integers(1, 4))) for _ in range(int(rng.integers(1, 4)))))


def random_design(rng: np.random.Generator, layer: Layer) -> Design:
    """Return a legal design whose tiles fit a layer."""
    values: dict[str, object] = {}
    for level in ("l2", "l1"):
        values |= {f"order_{level}": int(rng.integers(len(ORDERS))), f"parallel_{level}": str(rng.choice(PARALLEL))}
        values |= {f"R_{level}": layer.r, f"S_{level}": layer.s}
    limits = {"K": layer.k, "C": layer.c, "X": layer.q, "Y": layer.p}
    for d in TILED:
        values[f"{d}_l2"] = outer = int(rng.integers(1, limits[d] + 1))
        values[f"{d}_l1"] = int(rng.integers(1, outer + 1))
    spread = "C" if layer.depthwise and values["parallel_l1"] == "K" else values["parallel_l1"]
    cluster = math.ceil(values[f"{spread}_l2"] / values[f"{spread}_l1"])  # type: ignore[operator]
    values["num_pe"] = int(rng.integers(cluster, 257))
    return Design(values)


def batch_of(designs: Sequence[Design], layer: Layer, hardware: Hardware) -> Batch:
    """Return designs for a layer, one by one through `mapping_of`."""
    mappings, shapes = zip(*(mapping_of(design, layer) for design in designs), strict=True)
    each = [Hardware(d["num_pe"], hardware.noc_bw, hardware.offchip_bw, hardware.hop_latency, hardware.lanes) for d in designs]
    return Batch.of(mappings, shapes, each)


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_operations_are_those_of_the_layer_and_nothing_is_refused(seed: int) -> None:
    rng = np.random.default_rng(seed)
    layer = random_layer(rng)
    batch = batch_of([random_design(rng, layer) for _ in range(12)], layer, Hardware(1))
    assert (count(batch)["macs"] == layer.macs).all()
    assert not evaluate(batch).rejected.any()
    macs, outputs = layer_work(batch)
    assert (macs == layer.macs).all() and (outputs == layer.output_words).all()


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_energy_is_at_least_that_of_the_compulsory_traffic(seed: int) -> None:
    rng = np.random.default_rng(seed)
    layer = random_layer(rng)
    batch = batch_of([random_design(rng, layer) for _ in range(8)], layer, Hardware(1))
    found = full(count(batch))
    energy = sum(values for name, values in found.items() if name.endswith("_nj"))
    assert (energy >= compulsory_energy_nj(batch) * (1 - 1e-12)).all()
    traffic = layer.weight_words + layer.output_words + (layer.input_words if layer.stride == 1 else 0)
    assert (found["dram_accesses"] >= traffic).all()
    assert (compulsory_energy_nj(batch) >= layer.macs * (ENERGY.mac_pj + 4 * ENERGY.l1_pj) / 1000).all()


def test_a_mapping_that_holds_everything_takes_the_compulsory_energy() -> None:
    layer = Layer("small", 4, 4, 3, 3, 5, 5)
    whole = {f"{d}_{level}": n for d, n in (("K", 4), ("C", 4), ("X", 5), ("Y", 5)) for level in ("l2", "l1")}
    design = Design({**random_design(np.random.default_rng(0), layer), **whole})
    batch = batch_of([design], layer, Hardware(1))
    found = full(count(batch))
    energy = sum(values[0] for name, values in found.items() if name.endswith("_nj"))
    assert energy == pytest.approx(compulsory_energy_nj(batch)[0], rel=1e-12)


def test_a_free_place_takes_no_energy() -> None:
    rng = np.random.default_rng(0)
    layer = random_layer(rng)
    counted = count(batch_of([random_design(rng, layer)], layer, Hardware(1)))
    found = full(counted, EnergyTable(mac_pj=2.0, l1_pj=0, l2_pj=0, noc_pj=0, dram_pj=1.0))
    assert found["energy_mac_nj"][0] == layer.macs * 2 / 1000
    assert found["energy_dram_nj"][0] == found["dram_accesses"][0] / 1000
    assert found["energy_l1_nj"][0] == found["energy_l2_nj"][0] == found["energy_noc_nj"][0] == 0


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_more_bandwidth_and_shorter_ways_are_never_slower(seed: int) -> None:
    rng = np.random.default_rng(seed)
    layer = random_layer(rng)
    designs = [random_design(rng, layer) for _ in range(6)]
    slow = Hardware(1, *(int(rng.integers(1, 40)) for _ in range(3)))
    base, base_printed = (cycles_of(batch_of(designs, layer, slow), printed) for printed in (False, True))
    more = [
        Hardware(1, slow.noc_bw + int(rng.integers(1, 40)), slow.offchip_bw, slow.hop_latency),
        Hardware(1, slow.noc_bw, slow.offchip_bw + int(rng.integers(1, 40)), slow.hop_latency),
        Hardware(1, slow.noc_bw, slow.offchip_bw, 1),
        Hardware(1, slow.noc_bw, slow.offchip_bw, slow.hop_latency, lanes=4),
    ]
    for better in more:
        assert (cycles_of(batch_of(designs, layer, better), False) <= base).all(), better
        assert (cycles_of(batch_of(designs, layer, better), True) <= base_printed).all(), better


def cycles_of(batch: Batch, printed: bool) -> NDArray[np.float64]:
    found: NDArray[np.float64] = evaluate(batch).counts["runtime_cycles"] if printed else count(batch)["cycles"]
    return found


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_utilisation_is_at_most_one_and_no_pe_does_more_than_one_operation_a_cycle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    simulator = MaestroMapping(noc_bw=1 << 30, offchip_bw=1 << 30)
    simulator.space = mapping_space(network)
    designs = simulator.space.sample(rng, 8)
    for design, result in zip(designs, simulator.evaluate(designs, make_workload(network)), strict=True):
        assert result.ok, result
        assert 0 < result["utilisation"] <= 1 + 1e-12
        assert result["throughput_macs_per_cycle"] <= design["num_pe"]


def cycles(simulator: MaestroMapping, designs: Sequence[Design], workload: Workload) -> list[float]:
    return [result["latency_cycles"] for result in simulator.evaluate(designs, workload)]


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_more_pes_are_never_slower_where_the_network_is_no_limit(seed: int) -> None:
    """The law that holds mapping by mapping: without a limit of bandwidth, more clusters never take more cycles.

    With a limit they can: each step of the outer level then has more to fill.
    """
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    simulator = MaestroMapping(noc_bw=1 << 30, offchip_bw=1 << 30)
    simulator.space = mapping_space(network)
    (design,) = simulator.space.sample(rng, 1)
    counts = sorted({design["num_pe"], *rng.integers(design["num_pe"], 1024, 10).tolist()})
    found = cycles(simulator, [Design({**design, "num_pe": int(pes)}) for pes in counts], make_workload(network))
    assert found == sorted(found, reverse=True), list(zip(counts, found, strict=True))


@pytest.mark.parametrize("seed", range(6))
def test_the_best_of_a_small_mapspace_is_never_slower_with_more_pes(seed: int) -> None:
    """Where bandwidth is no limit. Where it is, even the best can be a little slower: clusters are as many as the PEs are enough for."""
    rng = np.random.default_rng(seed)
    depthwise = seed % 3 == 0
    k, c, p, q = (int(rng.integers(2, 7)) for _ in range(4))
    layer = Layer("small", 1 if depthwise else k, c, 3, 3, p, q, int(rng.choice([1, 2])), depthwise)
    limits = {"K": layer.k, "C": layer.c, "X": layer.q, "Y": layer.p}
    tiles = [[(a, b) for a in sorted({1, (n + 1) // 2, n}) for b in {1, a}] for n in limits.values()]
    values: list[dict[str, Any]] = [
        {f"{d}_{level}": pair[i] for d, pair in zip(limits, pairs, strict=True) for i, level in enumerate(("l2", "l1"))}
        | {f"{d}_{level}": 3 for d in "RS" for level in ("l2", "l1")}
        | {"order_l2": 0, "order_l1": 0, "parallel_l2": outer, "parallel_l1": inner}
        for pairs in itertools.product(*tiles)
        for outer, inner in itertools.product("CXY", repeat=2)
    ]
    clusters = [math.ceil(v[f"{v['parallel_l1']}_l2"] / v[f"{v['parallel_l1']}_l1"]) for v in values]
    best = []
    for pes in (1, 2, 3, 5, 8, 12, 20):
        designs = [Design({**v, "num_pe": pes}) for v, needed in zip(values, clusters, strict=True) if needed <= pes]
        ((_, batch),) = layer_batches(designs, Network("one", ((layer, 1),)), (1 << 30, 1 << 30, 1, 1))
        best.append(float(count(batch)["cycles"].min()))
    assert best == sorted(best, reverse=True) and best[-1] < best[0]


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_cycles_depend_on_pes_through_the_number_of_clusters_only(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = Network("one", ((random_layer(rng), 1),))
    simulator = MaestroMapping()
    simulator.space = mapping_space(network)
    design = random_design(rng, network.layers[0][0])
    d = "C" if network.layers[0][0].depthwise and design["parallel_l1"] == "K" else design["parallel_l1"]
    cluster = math.ceil(design[f"{d}_l2"] / design[f"{d}_l1"])
    clusters = design["num_pe"] // cluster
    same = [Design({**design, "num_pe": clusters * cluster + extra}) for extra in range(cluster)]
    results = simulator.evaluate([s for s in same if not simulator.space.violations(s)], make_workload(network))
    assert len({r["latency_cycles"] for r in results if r.ok}) <= 1


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_arrays_of_designs_are_what_their_mappings_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    layer = random_layer(rng)
    designs = [random_design(rng, layer) for _ in range(8)]
    ((counts, batch),) = layer_batches(designs, Network("one", ((layer, 3),)), (64, 16, 1, 1))
    assert counts == [3]
    one_by_one = evaluate(batch_of(designs, layer, Hardware(1)))
    at_once = evaluate(batch)
    for name, values in one_by_one.counts.items():
        assert np.array_equal(values, at_once.counts[name]), name


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_designs_of_one_canonical_form_have_equal_metrics(seed: int) -> None:
    assert_canonical_forms_are_true(np.random.default_rng(seed), 10)


@pytest.mark.slow
def test_no_false_merges_in_20000_pairs() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        assert_canonical_forms_are_true(rng, 200)


def assert_canonical_forms_are_true(rng: np.random.Generator, number: int) -> None:
    """Check, for designs of a random network, that their canonical forms are legal, final, and equal in both accountings."""
    tiny = rng.random() < 0.5  # tiles then often divide each other, or are whole
    network = tiny_network(rng) if tiny else random_network(rng)
    space = mapping_space(Network("larger", (*network.layers, (Layer("more", 3, 3, 5, 5, 3, 3) if tiny else random_layer(rng), 1))))
    workload = make_workload(network)
    designs = space.sample(rng, number)
    forms = [space.canonical(design, workload.traits) for design in designs]
    assert not any(space.violations(form) for form in forms)
    assert [space.canonical(form, workload.traits) for form in forms] == forms
    for accounting in get_args(Accounting):
        simulator = MaestroMapping(
            accounting=accounting,
            noc_bw=int(rng.choice([1, 2, 5, 64])),
            offchip_bw=int(rng.choice([1, 16])),
            hop_latency=int(rng.choice([1, 3])),
        )
        simulator.space = space
        results = simulator.evaluate([*designs, *forms], workload)
        for design, form, mine, canonical in zip(designs, forms, results, results[len(designs) :], strict=False):
            assert _same(mine, canonical), (accounting, network, design, form)


def tiny_network(rng: np.random.Generator) -> Network:
    layers = []
    for _ in range(int(rng.integers(1, 3))):
        k, c, p, q = (int(rng.integers(1, 4)) for _ in range(4))
        depthwise, r, s = bool(rng.random() < 0.4), int(rng.choice([1, 3])), int(rng.choice([1, 3]))
        layers.append((Layer("tiny", 1 if depthwise else k, c, r, s, p, q, int(rng.choice([1, 2])), depthwise), 1))
    return Network("tiny", tuple(layers))


def test_canonical_forms_do_merge() -> None:
    """Small tiles are rare in random designs; where all loops are still, all orders are one, and so is what is spread."""
    network = Network("one", ((Layer("small", 2, 2, 3, 3, 2, 2), 1),))
    space, workload = mapping_space(network), make_workload(network)
    rng = np.random.default_rng(0)
    designs = [Design({**design, "num_pe": 16}) for design in space.sample(rng, 500)]
    assert len({space.canonical(design, workload.traits) for design in designs}) < len(set(designs)) - 10
    whole = {f"{d}_{level}": 2 for d in TILED for level in ("l2", "l1")}
    same = {space.canonical(Design({**design, **whole}), workload.traits) for design in designs}
    assert len(same) == 2  # C spread inside is apart


def test_the_place_of_channels_that_pes_share_makes_no_difference_unless_maestro_counts_them_wrongly() -> None:
    network = Network("one", ((Layer("one", 64, 64, 3, 3, 56, 56), 1),))
    space, traits = mapping_space(network), make_workload(network).traits
    design = Design({**space.default(), "parallel_l1": "C", "C_l2": 16, "C_l1": 3, "X_l1": 2, "K_l1": 2})
    orders = range(len(ORDERS))
    classes = {
        inner: len({space.canonical(Design({**design, "C_l1": inner, "order_l1": o}), traits)["order_l1"] for o in orders})
        for inner in (3, 4)
    }
    assert classes == {3: 6, 4: 24}  # orders of the loops that move: K, X, Y, and C where its place matters


def _same(one: Metrics, other: Metrics) -> bool:
    return one.status == other.status and dict(one.values) == dict(other.values)


def test_strides_are_ignored_only_where_maestro_is_repeated() -> None:
    layer = Layer("strided", 4, 4, 3, 3, 8, 8, stride=2)
    batch = batch_of([random_design(np.random.default_rng(0), layer)], layer, Hardware(64))
    assert evaluate(batch).counts["num_macs"][0] > layer.macs
    assert count(batch)["macs"][0] == layer.macs
