"""``designgym/AcceleratorCodesign-v0``: workloads, metrics that agree with each other, mappings in designs, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import designgym.envs
from designgym.core.design import Design
from designgym.core.errors import InputError, UnknownNameError
from designgym.core.testing import check_simulator, check_space
from designgym.core.workload import Workload
from designgym.simulators.accelerator import network_workload
from designgym.simulators.accelerator.codesign import EYERISS, AcceleratorCodesign
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.network import Network

SPEC = designgym.envs.environment("designgym/AcceleratorCodesign-v0")
ONE, TWO = Layer("one", 16, 8, 3, 3, 8, 8), Layer("two", 8, 16, 1, 1, 8, 8)
BOTH = network_workload("both", [ONE, ONE, TWO, Layer("again", 16, 8, 3, 3, 8, 8)])


def simulator(**options: object) -> AcceleratorCodesign:
    return AcceleratorCodesign(**{"mapper_evaluations": 700, **options})  # type: ignore[arg-type]


def test_space_and_simulator_keep_their_contracts() -> None:
    check_space(simulator().space)
    check_simulator(simulator(), BOTH, samples=12, twins=4)


def test_a_network_is_the_sum_of_its_layers() -> None:
    ours, design = simulator(), Design(EYERISS)
    both, one, two = (ours.evaluate([design], w)[0] for w in (BOTH, network_workload("one", [ONE]), network_workload("two", [TWO])))
    assert [count for _, count in BOTH.data.layers] == [3, 1]
    for name in ("latency_cycles", "energy_pj", "dram_words", "glb_words"):
        assert both[name] == pytest.approx(3 * one[name] + two[name])
    macs = 3 * ONE.macs + TWO.macs
    assert both["utilisation"] == pytest.approx(macs / (168 * both["latency_cycles"])) and 0 < both["utilisation"] <= 1
    assert both["energy_per_mac_pj"] * macs == pytest.approx(both["energy_pj"])
    assert both["edp_pj_ns"] == pytest.approx(both["energy_pj"] * both["latency_ns"])
    assert both["area_mm2"] == one["area_mm2"] > 0


def test_layers_are_mapped_once_for_all_machines_that_pose_the_same_problem() -> None:
    ours = simulator()
    design = Design({**EYERISS, "glb_words_per_cycle": 64, "dram_words_per_cycle": 16})
    turned = Design({**design, "columns": 12, "rows": 14})
    first, second = ours.evaluate([design, turned], BOTH)
    assert first == second and (ours.mapper.misses, ours.mapper.hits) == (2, 2)


def test_effort_options_and_their_units() -> None:
    design = Design(EYERISS)
    usual, part, fast, small, table = (
        simulator(**o).evaluate([design], BOTH, fidelity=f)[0]
        for o, f in (({"mapper_evaluations": 2000}, 1.0), ({"mapper_evaluations": 2000}, 0.3), ({"clock_ghz": 2}, 1.0),
                     ({"node_nm": 16}, 1.0), ({"energies": "timeloop"}, 1.0))
    )  # fmt: skip
    assert usual["latency_ns"] == usual["latency_cycles"] and fast["latency_cycles"] == 2 * fast["latency_ns"]
    assert small["area_mm2"] < usual["area_mm2"] and small["energy_pj"] < usual["energy_pj"] and table["energy_pj"] != usual["energy_pj"]
    layers = [(o, simulator(mapper_evaluations=n).layers(design, BOTH)) for o, n in ((usual, 2000), (part, 600))]
    for (_, _, more), (_, _, less) in zip(layers[0][1], layers[1][1], strict=True):
        assert more.cycles * more.energy_pj <= less.cycles * less.energy_pj
    options: tuple[dict[str, object], ...] = (
        {},
        {"clock_ghz": 2},
        {"energies": "timeloop"},
        {"mapper_seed": 1},
        {"mapper_scope": "machine"},
        {"mapper_goal": "energy"},
    )
    assert len({simulator(**o).version for o in options}) == len(options) and AcceleratorCodesign().version == "2"


def test_a_search_for_each_machine_is_better_with_the_same_effort() -> None:
    layers = network_workload("resnet", [Layer("conv4_2", 256, 256, 3, 3, 14, 14)])
    designs = simulator().space.sample(np.random.default_rng(0), 6)
    kind, machine = (
        np.array([r["edp_pj_ns"] for r in simulator(mapper_evaluations=1500, mapper_scope=scope).evaluate(designs, layers)])
        for scope in ("kind", "machine")
    )
    assert np.log(machine / kind).mean() < 0


def test_designs_in_words_name_loops_that_multiply_to_the_layer() -> None:
    text = simulator().describe(Design(EYERISS), BOTH)
    assert text.splitlines()[0].startswith("row_stationary, 14 x 12 elements, 2.0") and text.splitlines()[0].endswith("mm^2")
    for line, layer in zip(text.splitlines()[1:], (ONE, TWO), strict=True):
        factors = [int(part[1:]) for part in line.replace(";", " ").split() if part[:1] in "CMRSPQ" and part[1:].isdigit()]
        assert np.prod(factors) == layer.macs, line


def test_mappings_can_be_part_of_designs(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("name,k,c,r,s,p,q,count\none,16,8,3,3,8,8,3\ntwo,8,16,1,1,8,8,1\n")
    ours = simulator(mapping="outer", network=str(table))
    workload = SPEC.workload(str(table))
    check_space(ours.space)
    check_simulator(ours, workload, samples=10)
    designs = ours.space.sample(np.random.default_rng(0), 200)
    results = ours.evaluate(designs, workload)
    machines = [Design({name: design[name] for name in EYERISS}) for design in designs]
    mapped = simulator(mapper_evaluations=3000).evaluate(machines, workload)
    assert len({result["edp_pj_ns"] for result in results}) > 190
    better = sum(outer["edp_pj_ns"] < inner["edp_pj_ns"] for outer, inner in zip(results, mapped, strict=True))
    assert better <= 4  # a random mapping is hardly ever better than the one that was looked for
    with pytest.raises(InputError, match="designs hold mappings of the layers of 'mine', the workload 'one' has others"):
        ours.evaluate(designs[:1], network_workload("one", [ONE]))


def test_the_bandwidth_of_dram_can_be_given() -> None:
    given = simulator(dram_words_per_cycle=2)
    check_space(given.space)
    assert {design["dram_words_per_cycle"] for design in given.space.sample(np.random.default_rng(0), 20)} == {2}
    design = Design({**EYERISS, "dram_words_per_cycle": 2})
    assert given.evaluate([design], BOTH) == simulator().evaluate([design], BOTH)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"energies": "guess"}, "energies must be cacti or timeloop, got 'guess'"),
        ({"node_nm": 1}, "node_nm, the technology node, must be a number of nanometres from 3 to 180, got 1"),
        ({"clock_ghz": 0}, "clock_ghz must be a number above 0 and at most 100, got 0"),
        ({"mapper_goal": "speed"}, "mapper_goal must be one of latency, energy, edp, got 'speed'"),
        ({"mapper_scope": "all"}, "mapper_scope must be one of kind, machine, got 'all'"),
        ({"mapper_evaluations": 1.5}, "mapper_evaluations must be a whole number, 1 or more, got 1.5"),
        ({"mapper_seed": -1}, "mapper_seed must be a whole number, 0 or more, got -1"),
        ({"dram_words_per_cycle": 0}, "dram_words_per_cycle must be a positive whole number, got 0"),
        ({"mapping": "both"}, "mapping must be inner or outer, got 'both'"),
        ({"mapping": "outer"}, "network= names the network whose mappings are searched"),
        ({"network": "resnet18"}, "give it with mapping='outer' only, got 'resnet18'"),
        ({"mapping": "outer", "network": "nothing"}, "nothing"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulator(**options)


def test_workloads_are_networks_layers_files_and_lists(tmp_path: Path) -> None:
    assert {"resnet18", "resnet50", "mobilenetv2", "vgg16", "alexnet", "bert_base", "llama7b_decode"} <= set(SPEC.workloads.names())
    assert [count for _, count in SPEC.workload("resnet18/conv2_1").data.layers] == [1]
    listed = tmp_path / "mine.json"
    listed.write_text('[{"name": "one", "k": 16, "c": 8, "r": 3, "s": 3, "p": 8, "q": 8, "count": 3}]')
    assert SPEC.workload(str(listed)).data == Network("mine", ((ONE, 3),))
    listed.write_text('[{"name": "one", "k": 16, "c": 8, "r": 3, "s": 3, "p": 8, "q": 0}]')
    with pytest.raises(InputError, match="layer 'one': q must be a positive integer, got 0"):
        SPEC.workload(str(listed))
    with pytest.raises(UnknownNameError):
        SPEC.workload("resnet19")
    with pytest.raises(InputError, match="layer 1 of network 'n' must be a Layer, got 3"):
        network_workload("n", [ONE, 3])  # type: ignore[list-item]
    with pytest.raises(InputError, match="workload 'none' must be a Network, got int"):
        simulator().evaluate([], Workload("none", 3))
    with pytest.raises(InputError, match=r"fidelity, .* must be in \(0, 1\], got 0"):
        simulator().evaluate([], BOTH, fidelity=0)
