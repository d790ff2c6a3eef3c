"""The adapter of the real FARSI: failures and files with a stand-in, figures with the real one where it is."""

import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designgym.core.design import Design
from designgym.core.errors import InputError, NotInstalledError
from designgym.core.metrics import Metrics
from designgym.core.workload import Workload
from designgym.simulators.soc.farsi_checkout import VARIABLE, FarsiCheckout
from designgym.simulators.soc.farsi_design import farsi_soc
from designgym.simulators.soc.library import NAMES, SocWorkloads, built_in
from designgym.simulators.soc.simulate import simulate
from designgym.simulators.soc.simulator import SocSimulator

WORKLOAD = SocWorkloads().get("edge_detection")
TASKS = {"audio_decoder": 18, "hpvm_cava": 9, "edge_detection": 8}
REAL = os.environ.get(VARIABLE, "")

# What the runner imports of FARSI, in the same places, which does what a test wants.
CONFIG = (
    "database_data_dir = cact_bin_addr = None\ncacti_input_col_order = ['kind', 'bytes']\ncacti_output_col_order = ['r', 'w', 'area']\n"
)
MAIN = """
import os, pathlib, sys, time
import home_settings, matplotlib.pyplot as plt
from deap import base
from sympy import *
from settings import config
MODE = (pathlib.Path(__file__).parents[2] / "mode").read_text()

class Block:
    def __init__(self, name): self.name, self.links, self.loads, self.type = name, [], [], "ic" if name.endswith("_ic") else "other"
    def connect(self, other): self.links.append(other.name)
    def load_improved(self, a, b): self.loads.append((a.name, b.name))
    def set_SOC(self, kind, number): pass
    def get_budget(self, metric): return 1.0
    type_ = None
class Task:
    def __init__(self, name): self.name = name
    def get_children(self): return [Task("child")]
class Database:
    SOC_id = 0
    def __init__(self): self.SOCsL = [Block("soc")]; self.made = []
    def get_block_by_name(self, name): return name
    def sample_similar_block(self, name):
        self.made.append(Block(name)); return self.made[-1]
    def get_task_by_name(self, name): return Task(name)
class Stats:
    def get_system_complex_metric(self, name):
        if MODE == "nan": return float("nan")
        return {"latency": {"w": 0.5}, "power": 0.25, "area": 2e-6, "energy": 0.125, "cost": 7.0}[name]
    def get_SOC_area_base_on_type(self, kind, soc, number): return {"pe": 1.5e-6, "mem": 5e-7}[kind]
class Point:
    dp_stats, phase_latency_dict = Stats(), {0: 0, 1: 2}
    def get_designs_SOCs(self): return [("soc", 0)]
class Simulation: dp = Point()
class Handler:
    def __init__(self):
        self.database, self.dse, self.dh = Database(), self, self
    def load_tasks_to_read_mem_and_ic(self, point): pass
    def eval_design(self, point, database):
        print("much to say")
        if MODE == "hang": time.sleep(60)
        if MODE == "crash": os.abort()
        if MODE == "exit": sys.exit(0)
        if MODE == "error": raise IndexError("list index out of range")
        if MODE == "echo":
            import json
            echo = [[b.name, b.links, b.loads] for b in database.made]
            table = pathlib.Path(config.cacti_data_log_file).read_text()
            (pathlib.Path(__file__).parents[2] / "echo.json").write_text(json.dumps([echo, table, os.getcwd(), home_settings.home_dir]))
        os.chdir("/")
        return Simulation()
def set_up_FARSI_with_arch_gym(*arguments): return Handler()
"""
FILES = {
    "SIM_utils/SIM.py": "",
    "settings/__init__.py": "",
    "settings/config.py": CONFIG,
    "top/__init__.py": "",
    "top/main_FARSI.py": MAIN,
    "design_utils/__init__.py": "",
    "design_utils/components/__init__.py": "",
    "design_utils/components/hardware.py": (
        "class HardwareGraph:\n    def __init__(self, pe): self.pe = pe\n    def update_graph(self): pass\n"
        "    def pipe_design(self): pass\n    def get_blocks(self): return [self.pe]\n"
    ),
    "design_utils/design.py": "class ExDesignPoint:\n    def __init__(self, graph): self.hardware_graph = graph\n",
    "specs/__init__.py": "",
    "specs/database_input.py": "class database_input_class:\n    def __init__(self, population): assert population['workloads']\n",
}


def fake(folder: Path, mode: str = "", **options: Any) -> FarsiCheckout:
    for name, text in FILES.items():
        path = folder / "Project_FARSI" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "mode").write_text(mode)
    return FarsiCheckout(folder, **options)


def evaluate(simulator: FarsiCheckout, design: Design | None = None) -> Metrics:
    (metrics,) = simulator.evaluate([simulator.space.default() if design is None else design], WORKLOAD)
    assert metrics.checked(simulator.metrics) == metrics
    return metrics


def test_figures_come_in_our_units(tmp_path: Path) -> None:
    found = evaluate(fake(tmp_path))
    assert found.ok, found
    assert dict(found.values) == {
        "latency_ms": 500.0, "power_mw": 250.0, "area_mm2": 2.0, "energy_mj": 125.0, "cost": 7.0, "average_power_mw": 250.0,
        "pe_area_mm2": 1.5, "memory_area_mm2": 0.5, "phases": 2.0, "buses": 0.0,
    }  # fmt: skip


def test_what_farsi_gets(tmp_path: Path) -> None:
    simulator = fake(tmp_path, "echo", load_order="file")
    assert evaluate(simulator).ok
    blocks, table, folder, home = json.loads((tmp_path / "echo.json").read_text())
    names = built_in("edge_detection").graph.names
    processor = next(block for block in blocks if block[0] == "A53_pe")
    assert [task for task, _ in processor[2]] == [name for name in names if name in {task for task, _ in processor[2]}]  # load order
    assert {block[0].rsplit("_", 1)[1] for block in blocks} == {"pe", "mem", "ic"} and processor[1]
    assert table.startswith("kind,bytes,r,w,area\nram,256000,") and "main memory," in table
    assert not Path(folder).exists() and home == folder + "/"
    assert {path.name for path in tmp_path.iterdir()} == {"Project_FARSI", "mode", "echo.json"}  # nothing is written beside it


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("error", "IndexError: list index out of range"),
        ("exit", "FARSI ended its process with exit(0)"),
        ("crash", "exited with code -6"),
        ("nan", "FARSI's figures are no numbers"),
    ],
)
def test_failures_are_statuses(tmp_path: Path, mode: str, words: str) -> None:
    found = evaluate(fake(tmp_path, mode))
    assert found.status == "failed" and words in found.error


def test_a_hang_is_a_timeout(tmp_path: Path) -> None:
    assert evaluate(fake(tmp_path, "hang", timeout_s=2.0)).status == "timeout"


def test_what_farsi_cannot_simulate_is_refused_with_the_reason_of_our_own_model(tmp_path: Path) -> None:
    simulator = fake(tmp_path, "error", space="archgym", tasks=8)
    ours = SocSimulator(space="archgym", tasks=8, model="as_farsi")
    designs = simulator.space.sample(np.random.default_rng(3), 40)
    expected = ours.evaluate(designs, WORKLOAD)
    refused = [i for i, result in enumerate(expected) if result.status == "infeasible"]
    assert len(refused) > 5
    assert [r.reasons for r in simulator.evaluate([designs[i] for i in refused], WORKLOAD)] == [expected[i].reasons for i in refused]


@pytest.mark.parametrize("workload", NAMES)
@pytest.mark.parametrize("space", ["structured", "archgym"])
def test_systems_in_farsis_names_are_the_same_systems(workload: str, space: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = built_in(workload)
    options: dict[str, Any] = {"space": space, "tasks": TASKS[workload] if space == "archgym" else None}
    ours = SocSimulator(model="as_farsi", **options)

    def simulated(_: FarsiCheckout, soc: dict[str, Any], of: Any) -> dict[str, float]:
        for blocks, users in (("pes", "task_to_pe"), ("mems", "task_to_mem")):  # FARSI would keep buses for blocks that nothing uses
            assert set(soc[users].values()) == set(range(len(soc[blocks])))
        run = simulate(farsi_soc(json.dumps(soc), of), of, model="as_farsi")
        figures = (run.latency_s * 1e3, run.power_w * 1e3, run.area_m2 * 1e6, run.energy_j * 1e3, run.cost)
        return dict(zip(("latency_ms", "power_mw", "area_mm2", "energy_mj", "cost"), figures, strict=True))

    monkeypatch.setattr(FarsiCheckout, "run", simulated)
    designs = ours.space.sample(np.random.default_rng(1), 60)
    pairs = [
        *zip(FarsiCheckout(**options).evaluate(designs, Workload("w", data)), ours.evaluate(designs, Workload("w", data)), strict=True)
    ]
    assert sum(one.ok for one, _ in pairs) >= (50 if space == "structured" else 3)
    for one, other in pairs:
        assert one.status == other.status
        for name, value in one.values.items():
            assert value == pytest.approx(other[name], rel=1e-12)


def test_other_workloads_are_refused(tmp_path: Path) -> None:
    tasks = [{"name": name, "processor_cycles": 1e6 * (name == "f")} for name in ("in", "f", "out")]
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"tasks": tasks, "transfers": [["in", "f", 1000], ["f", "out", 1000]]}))
    simulator = fake(tmp_path)
    with pytest.raises(InputError, match="FARSI itself has the workloads audio_decoder, hpvm_cava, edge_detection"):
        simulator.evaluate([simulator.space.default()], SocWorkloads().get(str(path)))


def test_not_installed_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert "DESIGNGYM_FARSI is not set" in FarsiCheckout().installed()[1] and FarsiCheckout().version.endswith("+missing")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert "has no FARSI" in FarsiCheckout().installed()[1]
    with pytest.raises(NotInstalledError, match=r"Clone https://github\.com"):
        FarsiCheckout().evaluate([FarsiCheckout().space.default()], WORKLOAD)


def test_versions_tell_checkouts_and_options_apart_and_copies_are_the_same(tmp_path: Path) -> None:
    simulator = fake(tmp_path)
    assert pickle.loads(pickle.dumps(simulator)).version == simulator.version
    others = {fake(tmp_path, load_order="file").version, fake(tmp_path, cacti="run").version}
    (tmp_path / "Project_FARSI" / "specs" / "figures.csv").write_text("1")
    assert len(others | {simulator.version, FarsiCheckout(tmp_path).version}) == 4


@pytest.mark.parametrize("options", [{"cacti": "no"}, {"timeout_s": 0}, {"space": "wide"}])
def test_bad_options(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"option {next(iter(options))}"):
        FarsiCheckout(**options)


@pytest.mark.skipif(not REAL, reason=f"{VARIABLE} is not set: FARSI is not here")
@pytest.mark.parametrize("workload", NAMES)
def test_farsi_itself_agrees_with_our_model(workload: str) -> None:
    real, ours = FarsiCheckout(), SocSimulator(model="as_farsi")
    designs = [d for d in ours.space.sample(np.random.default_rng(0), 6) if ours.evaluate([d], SocWorkloads().get(workload))[0].ok]
    for one, other in zip(*(simulator.evaluate(designs, SocWorkloads().get(workload)) for simulator in (real, ours)), strict=True):
        assert one.ok, one
        assert {name: pytest.approx(value, rel=1e-9) for name, value in other.values.items()} == dict(one.values)
