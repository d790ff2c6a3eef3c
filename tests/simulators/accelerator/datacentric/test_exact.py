"""The count of loops in closed form against loops that are run one by one, with their elements in sets."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.simulators.accelerator.datacentric.batch import Batch, Hardware
from designgym.simulators.accelerator.datacentric.exact import COUNTED, count
from designgym.simulators.accelerator.datacentric.mapping import Directive, Mapping
from designgym.simulators.accelerator.datacentric.shape import ConvShape
from designgym.simulators.accelerator.layer import Layer
from tests.simulators.accelerator.datacentric.loop_interpreter import Interpreter
from tests.simulators.accelerator.datacentric.test_mapping_laws import batch_of, random_design

seeds = st.integers(0, 2**32 - 1)


def small_case(seed: int) -> tuple[Design, Layer, Hardware]:
    """Return a design of few PEs for a layer of a few hundred outputs at most; tiles seldom divide it."""
    rng = np.random.default_rng(seed)
    depthwise, window = bool(rng.random() < 0.3), int(rng.choice([1, 2, 3, 5]))
    k, c, p, q = (int(rng.integers(1, 6)) for _ in range(4))
    stride = int(rng.choice([1, 1, 2, 3]))
    layer = Layer("small", 1 if depthwise else k, c, window, int(rng.choice([1, window])), p + 1, q + 1, stride, depthwise)
    design = random_design(rng, layer)
    spread = "C" if depthwise and design["parallel_l1"] == "K" else design["parallel_l1"]
    cluster = math.ceil(design[f"{spread}_l2"] / design[f"{spread}_l1"])
    # sometimes fewer PEs than a cluster has tiles, as in depthwise layers of a network: its rounds are then several
    pes = int(rng.integers(cluster, 13)) if rng.random() < 0.8 else int(rng.integers(1, cluster + 1))
    hardware = Hardware(
        pes, int(rng.choice([1, 3, 16, 1000])), int(rng.choice([1, 2, 16])), int(rng.integers(1, 4)), int(rng.integers(1, 3))
    )
    return Design({**design, "num_pe": pes}), layer, hardware


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_equal_to_loops_that_are_run(seed: int) -> None:
    design, layer, hardware = small_case(seed)
    found = {name: values[0] for name, values in count(batch_of([design], layer, hardware)).items()}
    loops = Interpreter(design, layer, hardware).run()
    expected = {name: getattr(loops, name) for name in COUNTED if name != "active_pes"}
    assert {name: found[name] for name in expected} == expected
    assert found["active_pes"] == pytest.approx(loops.active / loops.steps, rel=1e-12)
    assert found["macs"] == layer.macs
    assert len(loops.done) == layer.output_words * (1 if layer.depthwise else layer.c)  # each operation once


def test_the_cases_have_edges_of_every_kind() -> None:
    """What the test above is drawn from: several rounds, edges on both levels, strides, sliding windows, lesser clusters."""
    cases = [small_case(seed) for seed in range(300)]
    edges = [any(layer_size % design[f"{d}_l2"] for d, layer_size in _sizes(layer).items()) for design, layer, _ in cases]
    inner = [any(design[f"{d}_l2"] % design[f"{d}_l1"] for d in "CYX") for design, _, _ in cases]
    assert np.mean(edges) > 0.5 and np.mean(inner) > 0.3
    assert np.mean([layer.stride > 1 for _, layer, _ in cases]) > 0.3
    assert np.mean([layer.depthwise for _, layer, _ in cases]) > 0.2


def _sizes(layer: Layer) -> dict[str, int]:
    return {"K": layer.k, "C": layer.c, "Y": layer.p, "X": layer.q}


@pytest.mark.slow
def test_how_much_is_brought_again() -> None:
    """The approximation that `exact` documents: rows and columns that are there already, or that neighbouring clusters share."""
    counted, least = np.zeros(2), np.zeros(2)
    ratios = []
    for seed in range(400):
        design, layer, hardware = small_case(seed)
        loops = Interpreter(design, layer, hardware)
        found = loops.run()
        returned = found.network_out - layer.output_words, found.dram_out - layer.output_words
        now, fewest = np.array([found.network_in - returned[0], found.dram_in - returned[1]]), np.array(loops.least())
        assert (now >= fewest).all()
        counted, least = counted + now, least + fewest
        ratios.append(now / fewest)
    print("\nnetwork, DRAM: in total", counted / least, "equal in", np.mean(np.array(ratios) == 1, axis=0), "worst", np.max(ratios, axis=0))
    assert (counted / least < (1.07, 1.015)).all()  # as `exact` says


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_conservation_and_bounds(seed: int) -> None:
    design, layer, hardware = small_case(seed)
    found = {name: values[0] for name, values in count(batch_of([design], layer, hardware)).items()}
    stride_y, stride_x = min(layer.stride, layer.r), min(layer.stride, layer.s)
    rows, columns = (layer.p - 1) * stride_y + layer.r, (layer.q - 1) * stride_x + layer.s
    words = layer.c * rows * columns + layer.weight_words
    assert found["dram_in"] >= words and found["dram_out"] >= layer.output_words
    assert found["network_in"] >= words and found["network_out"] >= found["dram_out"]
    assert found["network_in"] - (found["network_out"] - layer.output_words) >= found["dram_in"] - (
        found["dram_out"] - layer.output_words
    )  # what DRAM brings crosses the network
    assert found["cycles"] >= layer.macs / (hardware.pes * hardware.lanes)
    assert 0 < found["active_pes"] <= hardware.pes
    assert found["cycles"] >= max(found["dram_in"] / hardware.offchip_bw, found["network_in"] / hardware.noc_bw)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_at_the_bandwidth_that_is_required_the_network_never_holds_up_a_step(seed: int) -> None:
    design, layer, hardware = small_case(seed)
    needed = int(count(batch_of([design], layer, hardware))["noc_bw_required"][0])
    enough, plenty = (
        count(batch_of([design], layer, Hardware(hardware.pes, bandwidth, hardware.offchip_bw, 1, hardware.lanes)))["cycles"][0]
        for bandwidth in (max(needed, 1), 1 << 30)
    )
    assert enough == plenty
    if needed > 1:
        less = count(batch_of([design], layer, Hardware(hardware.pes, needed - 1, 1 << 30, 1, hardware.lanes)))["cycles"][0]
        assert less > count(batch_of([design], layer, Hardware(hardware.pes, 1 << 30, 1 << 30, 1, hardware.lanes)))["cycles"][0]


@settings(max_examples=10, deadline=None)
@given(seeds)
def test_torch_and_blocks_give_the_same_to_the_last_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    layer = small_case(seed)[1]
    batch = batch_of([random_design(rng, layer) for _ in range(7)], layer, Hardware(1))
    found = count(batch)
    theirs, parts = count(batch.converted(torch.from_numpy)), count(batch, block=3)
    for name in COUNTED:
        assert np.array_equal(found[name], theirs[name].numpy()) and np.array_equal(found[name], parts[name]), name


K, C, Y = Directive("K", 2, 2, True), Directive("C", 1, 1, True), Directive("Y", 3, 1)
REFUSED = {
    "one level": Mapping(((K,),)),
    "two SpatialMaps": Mapping(((K, C), (C,)), (2,)),
    "no SpatialMap": Mapping(((Directive("K", 2, 2),), (C,)), (2,)),
    "the filter is cut": Mapping(((K, Directive("R", 1, 1)), (C,)), (2,)),
    "overlap": Mapping(((K, Directive("C", 2, 1)), (C,)), (2,)),
    "a gap": Mapping(((K, Directive("C", 1, 2)), (C,)), (2,)),
    "rows overlap": Mapping(((K, Directive("Y", 4, 1)), (C,)), (2,)),
    "larger inside": Mapping(((K,), (Directive("K", 3, 3), C)), (2,)),
    "too few PEs": Mapping(((K,), (C,)), (16,)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_mappings_are_refused(name: str) -> None:
    shape = ConvShape(6, 6, 3, 3, 9, 9)
    good = Mapping(((K, Y), (C,)), (2,))
    assert count(Batch.of([good], [shape], [Hardware(8)]))["macs"][0] == shape.macs
    with pytest.raises(InputError, match="full"):
        count(Batch.of([REFUSED[name]], [shape], [Hardware(8)]))
