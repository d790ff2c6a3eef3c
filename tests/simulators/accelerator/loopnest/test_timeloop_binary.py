"""The adapter of the real Timeloop: files, figures and failures with a stand-in, figures with the real one where it is."""

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from designgym.core.design import Design
from designgym.core.errors import InputError, NotInstalledError
from designgym.core.metrics import Metrics
from designgym.core.workload import Workload
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.loopnest.accelerator import EyerissAccelerator
from designgym.simulators.accelerator.loopnest.architecture_text import read_architecture
from designgym.simulators.accelerator.loopnest.eyeriss_space import eyeriss_architecture
from designgym.simulators.accelerator.loopnest.timeloop_binary import VARIABLE, TimeloopModel, problem_text
from designgym.simulators.accelerator.network import Network
from designgym.simulators.accelerator.networks import layer

CONV, DEPTHWISE = Layer("conv", 8, 4, 3, 3, 6, 5, stride=2), Layer("depthwise", 1, 16, 3, 3, 6, 6, depthwise=True)
NETWORK = Network("two", ((CONV, 3), (DEPTHWISE, 1)))
WORKLOAD = Workload("two", NETWORK)
REAL = os.environ.get(VARIABLE, "")

# Takes what the real program takes, reads every file, and leaves statistics in the same form.
STAND_IN = """\
import json, os, pathlib, sys, time
import yaml
mode = MODE
texts = [pathlib.Path(name).read_text() for name in sys.argv[1:]]
architecture, problem, mapping = (yaml.safe_load(text) for text in texts)
print("input file: architecture.yaml")
if mode == "hang":
    time.sleep(60)
if mode == "crash":
    os.abort()
if mode == "refuse":
    sys.exit("ERROR: couldn't map level psum_spad: mapped tile size 5 exceeds buffer capacity 4")
if mode == "silent":
    sys.exit(0)
if mode == "echo":
    pathlib.Path(ECHO).write_text(json.dumps([texts, problem, os.getcwd()]))
total = {"garbage": "12.00 mJ", "nonsense": "9.00 uJ"}.get(mode, "2.00 uJ")
pathlib.Path("timeloop-model.stats.txt").write_text('''Buffer and Arithmetic Levels
Level 0
=== mac ===
    Cycles                  : 400
    Energy (total)          : 500000.25 pJ
=== DRAM ===
        Energy (per-instance)                    : 1500000 pJ
        Energy (total)                           : 1.5e+06 pJ
        Temporal Reduction Energy (total)        : 0 pJ
Summary Stats
Utilization: 0.50
Cycles: 1000
Energy: %s
Area: 0.00 mm^2
''' % total)
"""


def stand_in(folder: Path, mode: str = "", **options: Any) -> TimeloopModel:
    path = folder / "timeloop-model"
    text = STAND_IN.replace("MODE", repr(mode)).replace("ECHO", repr(str(folder / "echo.json")))
    path.write_text(f"#!{sys.executable} -E\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return TimeloopModel(path, mapper_evaluations=200, **options)


def evaluate(simulator: TimeloopModel) -> Metrics:
    (metrics,) = simulator.evaluate([simulator.space.default()], WORKLOAD)
    assert metrics.checked(simulator.metrics) == metrics
    return metrics


def test_parts_are_added_up_and_layers_by_how_often_they_occur(tmp_path: Path) -> None:
    found = evaluate(stand_in(tmp_path, clock_ghz=2.0))
    assert found.ok, found
    energy_uj, ours = 4 * 2.00000025, EyerissAccelerator(mapper_evaluations=200)
    area = ours.evaluate([ours.space.default()], WORKLOAD)[0]["area_mm2"]
    assert dict(found.values) == {
        "latency_cycles": 4000.0, "latency_ns": 2000.0, "energy_uj": pytest.approx(energy_uj), "area_mm2": area,
        "energy_per_mac_pj": pytest.approx(energy_uj * 1e6 / NETWORK.macs), "edp_uj_ns": pytest.approx(energy_uj * 2000),
        "utilisation": pytest.approx(NETWORK.macs / 4000 / 168),
    }  # fmt: skip


def test_what_timeloop_gets(tmp_path: Path) -> None:
    simulator = stand_in(tmp_path, "echo")
    assert evaluate(simulator).ok
    texts, problem, folder = json.loads((tmp_path / "echo.json").read_text())
    assert read_architecture(texts[0]) == eyeriss_architecture(simulator.space.default())
    spaces = {space["name"]: space["projection"] for space in problem["problem"]["shape"]["data-spaces"]}
    assert spaces["Outputs"] == [[["N"]], [["C"]], [["Q"]], [["P"]]]  # the last layer, a depthwise one
    sizes = {"C": 16, "M": 1, "R": 3, "S": 3, "P": 6, "Q": 6, "N": 1, "Wstride": 1, "Hstride": 1, "Wdilation": 1, "Hdilation": 1}
    assert problem["problem"]["instance"] == sizes and "target: psum_spad" in texts[2]
    assert not Path(folder).exists()
    conv = yaml.safe_load(problem_text(CONV))["problem"]
    assert conv["instance"]["Wstride"] == 2 and conv["shape"]["data-spaces"][2] == {
        "name": "Outputs", "projection": [[["N"]], [["M"]], [["Q"]], [["P"]]], "read-write": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("crash", "exited with code -6"),
        ("refuse", "code 1; stderr: ERROR: couldn't map level psum_spad"),
        ("silent", "did not write 'timeloop-model.stats.txt'"),
        ("garbage", "its statistics lack cycles or energy"),
        ("nonsense", "its figures make no sense: 1000.0 cycles, 9.0 uJ in total, 2000000.25 pJ in parts"),
    ],
)
def test_failures_are_statuses(tmp_path: Path, mode: str, words: str) -> None:
    found = evaluate(stand_in(tmp_path, mode))
    assert found.status == "failed" and words in found.error


def test_a_hang_is_a_timeout(tmp_path: Path) -> None:
    assert evaluate(stand_in(tmp_path, "hang", timeout_s=1.0)).status == "timeout"


def test_not_installed_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert "DESIGNGYM_TIMELOOP is not set" in TimeloopModel().installed()[1] and TimeloopModel().version.endswith("+missing")
    path = tmp_path / "timeloop-model"
    assert "there is no file" in TimeloopModel(path).installed()[1]
    path.write_text("")
    assert "chmod +x" in TimeloopModel(path).installed()[1]
    monkeypatch.setenv(VARIABLE, str(path))
    with pytest.raises(NotInstalledError, match="Timeloop is not installed"):
        TimeloopModel().evaluate([TimeloopModel().space.default()], WORKLOAD)


def test_versions_tell_programs_and_options_apart(tmp_path: Path) -> None:
    versions = {stand_in(tmp_path, mode, mapper_seed=seed).version for mode in ("", "hang") for seed in (0, 1)}
    assert len(versions) == 4


@pytest.mark.parametrize("options", [{"timeout_s": -1}, {"clock_ghz": 0}, {"mapper_goal": "speed"}])
def test_bad_options(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(options)).removeprefix("mapper_")):
        TimeloopModel(**options)


@pytest.mark.skipif(not REAL, reason=f"{VARIABLE} is not set: Timeloop is not here")
@pytest.mark.parametrize("of", [("resnet18", "conv2_1"), ("resnet18", "conv3_1"), ("mobilenetv2", "block2_depthwise")])
def test_timeloop_itself_agrees_with_our_model(of: tuple[str, str]) -> None:
    real, ours = TimeloopModel(mapper_evaluations=300), EyerissAccelerator(mapper_evaluations=300)
    workload = Workload("w", Network("w", ((layer(*of), 1),)))
    designs: list[Design] = ours.space.sample(np.random.default_rng(0), 6)
    for one, other in zip(real.evaluate(designs, workload), ours.evaluate(designs, workload), strict=True):
        assert one.ok, one
        assert one["latency_cycles"] == other["latency_cycles"]
        assert {name: pytest.approx(value, rel=1e-6) for name, value in other.values.items()} == dict(one.values)
