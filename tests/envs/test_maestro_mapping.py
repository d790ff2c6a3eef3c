"""The mapping environment: its space, its workloads, its options."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import designgym.envs
from designgym.core.design import Design
from designgym.core.errors import InputError, UnknownNameError
from designgym.simulators.accelerator.datacentric.simulator import MaestroMapping
from designgym.simulators.accelerator.datacentric.space import PARAMETER_NAMES
from designgym.simulators.accelerator.networks import layer, network

SPEC = designgym.envs.environment("designgym/MaestroMapping-v0")
SPACE = SPEC.simulator().space
LIMITS = {"K": 64, "C": 64, "X": 56, "Y": 56}  # of the default layer


def design(**changes: object) -> Design:
    return Design({**SPACE.default(), **changes})


def test_parameters_and_ranges_are_archgyms() -> None:
    assert tuple(SPACE.parameters) == PARAMETER_NAMES and len(PARAMETER_NAMES) == 17
    values = {name: list(parameter.values()) for name, parameter in SPACE.parameters.items()}  # type: ignore[attr-defined]
    for level in ("l2", "l1"):
        assert values[f"order_{level}"] == list(range(720))
        assert sorted(values[f"parallel_{level}"]) == ["C", "K", "X", "Y"]
        assert values[f"R_{level}"] == values[f"S_{level}"] == [2, 3]
        for d, most in LIMITS.items():
            assert values[f"{d}_{level}"] == list(range(1, most + 1))
    assert values["num_pe"] == list(range(1, 1024))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"K_l1": 17, "K_l2": 16}, "the inner tile K_l1 must not be larger than the outer one, K_l2"),
        ({"Y_l1": 17, "Y_l2": 16}, "the inner tile Y_l1 must not be larger"),
        ({"R_l2": 2}, "R_l2 must be the whole filter, 3"),
        ({"S_l1": 2}, "S_l1 must be the whole filter, 3"),
        ({"parallel_l1": "X", "X_l2": 56, "X_l1": 1, "num_pe": 55}, "has more PEs than num_pe"),
    ],
)
def test_what_is_illegal_has_its_reason(changes: dict[str, object], reason: str) -> None:
    (result,) = SPEC.simulator().evaluate([design(**changes)], SPEC.workload())
    assert result.status == "infeasible" and len(result.reasons) == 1 and reason in result.reasons[0]


def test_a_cluster_may_take_all_pes() -> None:
    assert not SPACE.violations(design(parallel_l1="X", X_l2=56, X_l1=1, num_pe=56))


def test_every_legal_value_turns_up_in_random_designs() -> None:
    designs = SPACE.sample(np.random.default_rng(0), 3000)
    assert not any(SPACE.violations(d) for d in designs)
    for name, parameter in SPACE.parameters.items():
        legal = {3} if name[0] in "RS" else set(parameter.values())  # type: ignore[attr-defined]
        seen = {d[name] for d in designs}
        if len(legal) <= 64:
            # an inner tile of all of K is one of about 2,000 legal pairs
            assert seen <= legal and len(seen) >= 0.75 * len(legal), name
        else:
            assert len(seen) > 0.9 * len(legal), name


def test_moves_from_legal_designs_are_legal_and_different() -> None:
    rng = np.random.default_rng(1)
    designs = SPACE.sample(rng, 200)
    moved = [SPACE.mutate(d, rng) for d in designs]
    children = [SPACE.crossover(a, b, rng) for a, b in zip(designs, moved, strict=True)]
    assert not any(SPACE.violations(d) for d in [*moved, *children])
    assert all(a != b for a, b in zip(designs, moved, strict=True))


def test_the_number_of_pes_has_an_effect() -> None:
    simulator, workload = SPEC.simulator(), SPEC.workload()
    few, many = simulator.evaluate([design(num_pe=pes, K_l2=2, K_l1=1) for pes in (16, 128)], workload)
    assert many["latency_cycles"] < few["latency_cycles"] and many["area_mm2"] > few["area_mm2"]


def test_a_network_is_the_sum_of_its_layers() -> None:
    simulator, designs = SPEC.simulator(), SPACE.sample(np.random.default_rng(2), 5)
    whole = simulator.evaluate(designs, SPEC.workload("mobilenetv2"))
    parts = [
        (count, simulator.evaluate(designs, SPEC.workload(f"mobilenetv2/{each.name}"))) for each, count in network("mobilenetv2").layers
    ]
    for i, result in enumerate(whole):
        for name in ("latency_cycles", "energy_nj", "dram_accesses"):
            assert result[name] == pytest.approx(sum(count * results[i][name] for count, results in parts), rel=1e-12)
        for name in ("l1_bytes", "l2_bytes", "noc_bw_required"):
            assert result[name] == max(results[i][name] for _, results in parts)


def test_tiles_are_cut_to_the_layer() -> None:
    simulator, workload = SPEC.simulator(), SPEC.workload("resnet18-conv4_2")  # 14 x 14 pixels
    cut, given = simulator.evaluate([design(Y_l2=14, Y_l1=14), design(Y_l2=56, Y_l1=20)], workload)
    assert cut == given
    assert SPACE.canonical(design(Y_l2=56, Y_l1=20), workload.traits) == SPACE.canonical(design(Y_l2=14, Y_l1=14), workload.traits)


def test_accountings_differ_and_are_other_simulators() -> None:
    full, printed = SPEC.simulator(), SPEC.simulator(accounting="as_printed")
    workload = SPEC.workload()
    (one,), (other,) = full.evaluate([design()], workload), printed.evaluate([design()], workload)
    assert one["latency_cycles"] == pytest.approx(other["latency_cycles"], rel=1e-4)  # without edges and strides they are close
    assert one["energy_nj"] > other["energy_nj"]
    assert len({full.version, printed.version, SPEC.simulator(noc_bw=32).version, SPEC.simulator(lanes=2).version}) == 4
    assert SPEC.simulator(noc_bw=64, accounting="full").version == full.version


def test_torch_computes_the_same() -> None:
    designs = SPACE.sample(np.random.default_rng(3), 20)
    workload = SPEC.workload("resnet18")
    assert MaestroMapping(device="cpu").evaluate(designs, workload) == MaestroMapping().evaluate(designs, workload)
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="device must be numpy or a device of torch that is here"):
            MaestroMapping(device="cuda")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noc_bw": 0}, "noc_bw must be a whole number from 1"),
        ({"lanes": 1.5}, "lanes must be a whole number"),
        ({"accounting": "some"}, "accounting must be one of full, as_printed, got 'some'"),
        ({"layer": "resnet18-conv9"}, "unknown layer of resnet18 'conv9'"),
        ({"device": "gpu7"}, "device must be numpy or a device of torch"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SPEC.simulator(**options)


def test_another_layer_bounds_the_tiles() -> None:
    space = SPEC.simulator(layer="vgg16-conv3_2").space
    assert (space.parameters["K_l2"].size(), space.parameters["X_l2"].size()) == (256, 56)
    space = SPEC.simulator(layer="resnet50").space
    assert (space.parameters["K_l2"].size(), space.parameters["X_l2"].size()) == (2048, 112)
    assert list(space.parameters["R_l1"].values()) == [6, 7]  # type: ignore[attr-defined]


def test_layers_of_users(tmp_path: Path) -> None:
    conv = {"name": "mine", "k": 8, "c": 4, "r": 3, "s": 3, "p": 10, "q": 10, "count": 3}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps([conv, {"c": 4, "r": 3, "s": 3, "p": 5, "q": 5, "stride": 2, "depthwise": True}]))
    workload = SPEC.workload(str(path))
    assert [(each.name, count) for each, count in workload.data.layers] == [("mine", 3), ("layer2", 1)]
    assert workload.data.macs == 3 * 8 * 4 * 9 * 100 + 4 * 9 * 25
    (result,) = SPEC.simulator().evaluate([design()], workload)
    assert result.ok
    text = tmp_path / "net.m"
    text.write_text(
        "Network n { Layer a { Type: CONV Stride { X: 2, Y: 2 } Dimensions { K: 8, C: 3, R: 3, S: 3, Y: 21, X: 21 }\n"
        "Dataflow { SpatialMap(1,1) K; } } }"
    )
    ((found, count),) = SPEC.workload(str(text)).data.layers
    assert (found.k, found.c, found.p, found.stride, count) == (8, 3, 10, 2, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "has no layer"),
        ("[3]", "layer 1 is 3, expected an object"),
        ('{"k": 1}', "layer 1 lacks c, r, s, p, q"),
        ('{"k": 1, "c": 1, "r": 1, "s": 1, "p": 0, "q": 1}', "p must be a positive integer, got 0"),
        ('{"k": 1, "c": 1, "r": 1, "s": 1, "p": 1, "q": 1, "count": 0}', "count must be a whole number"),
        ('{"k": 1, "c": 1, "r": 1, "s": 1, "p": 1, "q": 1, "strides": 2}', "unknown field .* 'strides': did you mean 'stride'"),
    ],
)
def test_bad_layers_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        SPEC.workload(str(path))


def test_unknown_workloads_are_named() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown workload 'resnet17': did you mean .*NETWORK/LAYER"):
        SPEC.workload("resnet17")
    assert SPEC.workload("vgg16/conv5_3").data == SPEC.workload("vgg16-conv5_3").data
    assert SPEC.workload("vgg16/conv5_3").data.layers[0][0] == layer("vgg16", "conv5_3")


def test_metrics_are_finite_on_every_workload() -> None:
    simulator, designs = SPEC.simulator(), SPACE.sample(np.random.default_rng(4), 10)
    for name in SPEC.workloads.names():
        for result in simulator.evaluate(designs, SPEC.workload(name)):
            assert result.ok and all(math.isfinite(value) and value >= 0 for value in result.values.values()), (name, result)
