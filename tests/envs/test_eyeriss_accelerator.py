"""``designgym/EyerissAccelerator-v0``: workloads, metrics that agree with each other, options, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import designgym.envs
from designgym.core.errors import InputError, UnknownNameError
from designgym.core.workload import Workload
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.accelerator import EyerissAccelerator, make_workload
from designgym.simulators.accelerator.loopnest.eyeriss_space import UNIT_STRIDE
from designgym.simulators.accelerator.network import Network

SPEC = designgym.envs.environment("designgym/EyerissAccelerator-v0")
ONE, TWO = Layer("one", 16, 8, 3, 3, 8, 8), Layer("two", 8, 16, 1, 1, 8, 8)


def simulator(**options: object) -> EyerissAccelerator:
    return EyerissAccelerator(**{"mapper_evaluations": 200, **options})  # type: ignore[arg-type]


def test_a_network_is_the_sum_of_its_layers() -> None:
    design = SPEC.simulator().space.default()
    both, one, two = (
        simulator().evaluate([design], make_workload(Network("n", layers)))[0]
        for layers in (((ONE, 3), (TWO, 1)), ((ONE, 1),), ((TWO, 1),))
    )
    assert both["latency_cycles"] == 3 * one["latency_cycles"] + two["latency_cycles"]
    assert both["energy_uj"] == pytest.approx(3 * one["energy_uj"] + two["energy_uj"])
    assert both["area_mm2"] == one["area_mm2"] > 0
    macs = 3 * ONE.macs + TWO.macs
    assert both["utilisation"] == macs / (design["NumPEs"] * both["latency_cycles"])
    assert both["energy_per_mac_pj"] * macs == pytest.approx(both["energy_uj"] * 1e6)
    assert both["edp_uj_ns"] == pytest.approx(both["energy_uj"] * both["latency_ns"])


def test_designs_that_pose_the_same_problem_share_their_mappings() -> None:
    ours, workload = simulator(), make_workload(Network("n", ((ONE, 1), (TWO, 1))))
    design = ours.space.default()
    same = ours.space.validate({**design, "GlbBanks": 128, "PsumSpadClass": "regfile", "WeightsSpadReadBandwidth": 16, "DummyDepth": 2})
    first, second = ours.evaluate([design, same], workload)
    assert first == second and ours._mapper.hits == 2
    assert ours.evaluate([design], workload, fidelity=0.5) != [] and ours._mapper.hits == 2


def test_options_and_their_units() -> None:
    workload = make_workload(Network("n", ((ONE, 1),)))
    design = SPEC.simulator().space.default()
    usual, fast, small = (
        simulator(**o).evaluate([design], workload)[0] for o in ({}, {"clock_ghz": 2}, {"energies": "cacti", "node_nm": 16})
    )
    assert usual["latency_ns"] == usual["latency_cycles"] == 2 * fast["latency_ns"]
    assert small["area_mm2"] < usual["area_mm2"] and small["energy_uj"] < usual["energy_uj"]
    assert len({simulator(**o).version for o in ({}, {"clock_ghz": 2}, {"energies": "cacti"}, {"mapper_seed": 1})}) == 4
    assert EyerissAccelerator().version == "3"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"energies": "guess"}, "energies must be timeloop or cacti, got 'guess'"),
        ({"node_nm": 1}, "node_nm, the technology node, must be a number of nanometres from 3 to 180, got 1"),
        ({"clock_ghz": 0}, "clock_ghz must be a number above 0 and at most 100, got 0"),
        ({"mapper_goal": "speed"}, "goal of a mapper must be one of latency, energy, edp"),
        ({"mapper_evaluations": 1.5}, "evaluations of a mapper must be a positive whole number, got 1.5"),
        ({"mapper_seed": -1}, "mapper_seed must be a whole number, 0 or more, got -1"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SPEC.simulator(**options)


def test_workloads_are_networks_their_layers_and_tables(tmp_path: Path) -> None:
    assert SPEC.workload("resnet18").data.macs > 1.8e9 and UNIT_STRIDE not in SPEC.workload("resnet18").traits
    single = SPEC.workload("resnet18/conv2_1")
    assert [(layer.k, count) for layer, count in single.data.layers] == [(64, 1)] and UNIT_STRIDE in single.traits
    table = tmp_path / "mine.csv"
    table.write_text("name,k,c,r,s,p,q,stride,depthwise,count\none,16,8,3,3,8,8,2,0,3\ntwo,1,8,3,3,8,8,1,1,1\n")
    mine = SPEC.workload(str(table))
    strided, depthwise = Layer("one", 16, 8, 3, 3, 8, 8, stride=2), Layer("two", 1, 8, 3, 3, 8, 8, depthwise=True)
    assert mine.name == "mine" and mine.data == Network("mine", ((strided, 3), (depthwise, 1)))
    for name in ("resnet19", "resnet18/conv9"):
        with pytest.raises(UnknownNameError):
            SPEC.workload(name)
    with pytest.raises(InputError, match="workload 'none' of an accelerator must be a Network, got int"):
        simulator().evaluate([], Workload("none", 3))
    with pytest.raises(InputError, match=r"fidelity, .* must be in \(0, 1\], got 0"):
        simulator().evaluate([], single, fidelity=0)


BAD_TABLES = {
    "name,k,c\n": "lacks the columns r, s, p, q",
    "name,k,c,r,s,p,q,x\n": "unknown column of .* 'x'",
    "name,k,c,r,s,p,q\n": "has no layer",
    "name,k,c,r,s,p,q\na,1,1,1,1,1\n": "line 2: another number of cells than the header",
    "name,k,c,r,s,p,q\na,1,1,1,1,1,x\n": "line 2, column q: got 'x', expected a whole number",
    "name,k,c,r,s,p,q\na,1,1,1,1,1,0\n": "line 2: layer 'a': q must be a positive integer, got 0",
    "name,k,c,r,s,p,q,count\na,1,1,1,1,1,1,0\n": "line 2: depthwise must be 0 or 1 and count 1 or more, got 0 and 0",
}


@pytest.mark.parametrize("text", BAD_TABLES)
def test_bad_tables_are_refused_with_line_and_column(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(InputError, match=BAD_TABLES[text]):
        SPEC.workload(str(tmp_path / "bad.csv"))
