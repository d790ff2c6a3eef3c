"""The adapter of SCALE-Sim: what it writes and reads, failures with a stand-in, figures with the package itself where it is."""

import json
from pathlib import Path
from typing import Any

import pytest

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.metrics import Metrics
from designgym.core.testing import check_simulator
from designgym.core.workload import Workload
from designgym.simulators.accelerator.external.scalesim import PACKAGE, ScaleSim
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.network import Network
from designgym.simulators.accelerator.networks import layer
from designgym.simulators.accelerator.systolic.costs import MatrixProducts
from designgym.simulators.accelerator.systolic.costs import evaluate as systolic
from tests.simulators.accelerator.external.fake_packages import SCALESIM, fake_python

CONV, DEPTHWISE = Layer("conv", 8, 4, 3, 3, 6, 5, stride=2), Layer("depthwise", 1, 16, 3, 3, 6, 6, depthwise=True)
NETWORK = Network("two", ((CONV, 3), (DEPTHWISE, 1)))
WORKLOAD = Workload("two", NETWORK)
REAL, WHY_NOT = ScaleSim().installed()


def design(simulator: ScaleSim, **changes: object) -> Design:
    return Design({**simulator.space.default(), **changes})


def fake(folder: Path, mode: str = "", **options: Any) -> ScaleSim:
    return ScaleSim(python=fake_python(folder, SCALESIM, mode), **options)


def evaluate(simulator: ScaleSim, **changes: object) -> Metrics:
    (metrics,) = simulator.evaluate([design(simulator, **changes)], WORKLOAD)
    assert metrics.checked(simulator.metrics) == metrics
    return metrics


def test_figures_of_layers_are_added_up_a_depthwise_one_by_channel(tmp_path: Path) -> None:
    found = evaluate(fake(tmp_path), rows=8, columns=4)
    runs = 3 + 16
    assert found.ok, found
    assert dict(found.values) == {
        "latency_cycles": 120.0 * runs, "prefetch_cycles": 20.0 * runs, "stall_cycles": 7.0 * runs,
        "utilisation": NETWORK.macs / (120.0 * runs * 32), "sram_accesses": 6.0 * runs, "dram_accesses": 60.0 * runs, "pes": 32.0,
        "sram_kib": 192.0,
    }  # fmt: skip


def test_what_scalesim_gets(tmp_path: Path) -> None:
    simulator = fake(tmp_path, "echo")
    changes = {"dataflow": "input_stationary", "ifmap_words_per_cycle": 4, "ofmap_words_per_cycle": 64, "filter_sram_kib": 256}
    assert evaluate(simulator, **changes).ok
    config, topology, folder = json.loads((tmp_path / "packages" / "scalesim" / "echo.json").read_text())
    lines = dict(line.split(": ") for line in config.splitlines() if ": " in line)
    assert (lines["Dataflow"], lines["Bandwidth"], lines["IfmapSRAMBankBandwidth"]) == ("is", "64", "4")
    assert (lines["FilterSramSzkB"], lines["InterfaceBandwidth"], lines["FilterSRAMBankBandwidth"]) == ("256", "USER", "16")
    assert topology.splitlines()[1] == "layer, 8, 8, 3, 3, 1, 1, 1,"  # the last layer, one channel of it
    assert not Path(folder).exists()
    assert evaluate(fake(tmp_path, "echo", interface="calculated")).ok
    config, _, _ = json.loads((tmp_path / "packages" / "scalesim" / "echo.json").read_text())
    assert "InterfaceBandwidth: CALC" in config


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("error", "this cannot be"),
        ("exit", "SCALE-Sim ended its process with exit(0)"),
        ("crash", "exited with code -6"),
        ("silent", "COMPUTE_REPORT.csv"),
    ],
)
def test_failures_are_statuses(tmp_path: Path, mode: str, words: str) -> None:
    found = evaluate(fake(tmp_path, mode))
    assert found.status == "failed" and words in found.error


def test_it_is_a_simulator(tmp_path: Path) -> None:
    check_simulator(fake(tmp_path), Workload("one", Network("one", ((CONV, 1),))), samples=3, twins=1)


def test_a_hang_is_a_timeout(tmp_path: Path) -> None:
    assert evaluate(fake(tmp_path, "hang", timeout_s=1.0)).status == "timeout"


def test_a_numpy_that_it_fails_with_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = {name.replace("2.3.5", "2.4.0"): text.replace("2.3.5", "2.4.0") for name, text in SCALESIM.items()}
    monkeypatch.setenv(PACKAGE.variable, str(fake_python(tmp_path, newer)))
    found, words = ScaleSim().installed()
    assert not found and "needs numpy<2.4" in words and "python3 -m venv" in words
    monkeypatch.setenv(PACKAGE.variable, str(tmp_path / "nowhere"))
    found, words = ScaleSim().installed()
    assert not found and "nowhere" in words and ScaleSim().version == "1+missing"


@pytest.mark.parametrize("options", [{"interface": "user"}, {"timeout_s": float("inf")}])
def test_bad_options(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"option {next(iter(options))}"):
        ScaleSim(**options)


@pytest.mark.slow
@pytest.mark.skipif(not REAL, reason=WHY_NOT)
@pytest.mark.parametrize(
    ("dataflow", "cycles", "latency"), [("weight_stationary", 116_279, 120_306), ("output_stationary", 125_047, 128_450)]
)
def test_scalesim_itself_gives_the_figures_that_it_gave_on_its_own(dataflow: str, cycles: int, latency: int) -> None:
    """Figures of SCALE-Sim 3.0.0 called directly, on ResNet18's conv2_1 with 32 x 32 PEs and 64 KB of each SRAM, bandwidths calculated."""
    simulator = ScaleSim(interface="calculated")
    found = simulator.run(design(simulator, dataflow=dataflow), Network("w", ((layer("resnet18", "conv2_1"), 1),)))
    assert (found["latency_cycles"] - found["prefetch_cycles"], found["latency_cycles"]) == (cycles, latency)


@pytest.mark.skipif(not REAL, reason=WHY_NOT)
@pytest.mark.parametrize("dataflow", ["weight_stationary", "output_stationary", "input_stationary"])
def test_scalesim_itself_agrees_with_our_systolic_array(dataflow: Any) -> None:
    small = Layer("small", 20, 5, 2, 3, 7, 5)
    simulator = ScaleSim(interface="calculated")
    found = simulator.run(design(simulator, dataflow=dataflow, rows=8, columns=4), Network("w", ((small, 1),)))
    ours = systolic(MatrixProducts.of([small]), rows=8, columns=4, dataflow=dataflow)
    assert found["latency_cycles"] - found["prefetch_cycles"] == ours.cycles[0] - 1  # the number of the last cycle, counted from 0
