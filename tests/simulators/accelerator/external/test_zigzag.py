"""The adapter of ZigZag: what it writes and reads, failures with a stand-in, figures with the package itself where it is."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from designgym.core.design import Design
from designgym.core.errors import InputError, NotInstalledError
from designgym.core.metrics import Metrics
from designgym.core.testing import check_simulator
from designgym.core.workload import Workload
from designgym.simulators.accelerator.external.zigzag import PACKAGE, ZigZag
from designgym.simulators.accelerator.external.zigzag_runner import bits_on_chip, scaled
from designgym.simulators.accelerator.layer import Layer
from designgym.simulators.accelerator.network import Network
from designgym.simulators.accelerator.networks import layer
from tests.simulators.accelerator.external.fake_packages import ZIGZAG, fake_python

CONV, DEPTHWISE = Layer("conv", 8, 4, 3, 3, 6, 5, stride=2), Layer("depthwise", 1, 16, 3, 3, 6, 6, depthwise=True)
NETWORK = Network("two", ((CONV, 3), (DEPTHWISE, 1)))
WORKLOAD = Workload("two", NETWORK)
REAL, WHY_NOT = ZigZag().installed()


def design(**changes: object) -> Design:
    return Design({**ZigZag().space.default(), **changes})


def fake(folder: Path, mode: str = "", **options: Any) -> ZigZag:
    return ZigZag(python=fake_python(folder, ZIGZAG, mode), **options)


def evaluate(simulator: ZigZag, **changes: object) -> Metrics:
    (metrics,) = simulator.evaluate([design(**changes)], WORKLOAD)
    assert metrics.checked(simulator.metrics) == metrics
    return metrics


def test_figures_of_layers_are_added_up_by_how_often_they_occur(tmp_path: Path) -> None:
    found = evaluate(fake(tmp_path))
    assert found.ok, found
    assert dict(found.values) == {
        "latency_cycles": float(NETWORK.macs), "energy_pj": NETWORK.macs * 700.0, "mac_energy_pj": 4 * 2.5, "utilisation": 1 / 32,
        "multipliers": 32.0, "onchip_kib": (32 * 64 + 8192) / 8192,
    }  # fmt: skip


def test_what_zigzag_gets(tmp_path: Path) -> None:
    factors = {"rows_factor": 2, "columns_factor": 0.5, "register_factor": 4, "buffer_factor": 0.25, "buffer_bandwidth_factor": 2}
    assert evaluate(fake(tmp_path, "echo", goal="energy", lpf_limit=4), **factors, dram_bandwidth_factor=0.5).ok
    workload, memories, mapping, folder, options = json.loads((tmp_path / "packages" / "zigzag" / "echo.json").read_text())
    assert workload[0]["loop_dims"] == ["B", "K", "C", "OY", "OX", "FY", "FX", "G"]  # the last layer, a depthwise one
    assert workload[0]["loop_sizes"] == [1, 1, 1, 6, 6, 3, 3, 16]
    assert [name for name, _ in memories] == ["weights", "a_buffer", "dram"]  # the order of levels
    sizes = {name: (m["size"], m["r_cost"], m["ports"][0]["bandwidth_min"], m["ports"][0]["bandwidth_max"]) for name, m in memories}
    assert sizes == {"weights": (256, 1.0, 8, 8), "a_buffer": (2048, 4.0, 64, 128), "dram": (100000, 350.0, 32, 32)}
    assert mapping == [{"name": "default", "spatial_mapping": {"D1": ["G, 16"], "D2": ["C, 2"]}}]
    assert not Path(folder).exists() and (options["opt"], options["lpf_limit"]) == ("energy", 4)


def test_an_accelerator_as_it_comes_is_left_alone() -> None:
    memory = {"size": 8, "r_cost": 1.0, "w_cost": 2.0, "served_dimensions": ["D2"], "ports": [{"bandwidth_min": 8, "bandwidth_max": 8}]}
    accelerator = {"memories": {"r": memory}, "operational_array": {"dimensions": ["D1", "D2"], "sizes": [3, 5]}}
    same: dict[str, float] = dict.fromkeys(("rows", "columns", "register", "buffer", "buffer_bandwidth", "dram_bandwidth"), 1.0)
    before = json.dumps(accelerator)
    assert json.dumps(scaled(accelerator, same)) == before and bits_on_chip(accelerator) == 3 * 8


@pytest.mark.parametrize(
    ("mode", "status", "words"),
    [
        ("error", "failed", "this cannot be"),
        ("exit", "failed", r"ZigZag ended its process with exit\(0\)"),
        ("crash", "failed", "exited with code -6"),
        ("nan", "failed", "energy_pj of layer 'conv' is nan"),
    ],
)
def test_failures_are_statuses(tmp_path: Path, mode: str, status: str, words: str) -> None:
    found = evaluate(fake(tmp_path, mode))
    assert found.status == status and re.search(words, found.error)


def test_a_hang_is_a_timeout_and_no_mapping_is_infeasible(tmp_path: Path) -> None:
    assert evaluate(fake(tmp_path, "hang", timeout_s=1.0)).status == "timeout"
    refused = evaluate(fake(tmp_path, "small"))
    assert refused.status == "infeasible" and "layer 'conv' has no mapping on it" in refused.reasons[0]


def test_it_is_a_simulator(tmp_path: Path) -> None:
    simulator = fake(tmp_path)
    check_simulator(simulator, Workload("one", Network("one", ((CONV, 1),))), samples=3, twins=1)
    assert simulator.version.startswith("1+9.9+") and simulator.version != fake(tmp_path, goal="energy").version


def test_not_installed_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = fake_python(tmp_path, {name: text for name, text in ZIGZAG.items() if not name.startswith("six")})
    monkeypatch.setenv(PACKAGE.variable, str(lacking))
    found, words = ZigZag().installed()
    if found:  # the Python that runs the tests has six itself
        monkeypatch.setenv(PACKAGE.variable, str(tmp_path / "nowhere"))
        found, words = ZigZag().installed()
    assert not found and "pip install" in words and ZigZag().version.startswith("1+missing")
    with pytest.raises(NotInstalledError, match="ZigZag is not installed"):
        ZigZag().evaluate([design()], WORKLOAD)


@pytest.mark.parametrize("options", [{"goal": "edp"}, {"lpf_limit": 0}, {"lpf_limit": True}, {"timeout_s": 0}, {"timeout_s": "long"}])
def test_bad_options(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"option {next(iter(options))}"):
        ZigZag(**options)


def test_bad_workloads() -> None:
    with pytest.raises(InputError, match="must be a Network, got str"):
        ZigZag().evaluate([design()], Workload("w", "text"))
    with pytest.raises(InputError, match=r"one fidelity, 1, got 0\.5"):
        ZigZag().evaluate([design()], WORKLOAD, fidelity=0.5)


@pytest.mark.skipif(not REAL, reason=WHY_NOT)
@pytest.mark.parametrize(
    ("template", "energy_pj", "latency_cycles"),
    [
        ("tpu_like", 68_294_568.736, 139_872),
        pytest.param("edge_tpu_like", 73_278_613.92, 139_810, marks=pytest.mark.slow),
        pytest.param("meta_prototype", 54_192_895.2, 116_381, marks=pytest.mark.slow),
        pytest.param("eyeriss_like", 747_812_940.0, 960_174, marks=pytest.mark.slow),
    ],
)
def test_zigzag_itself_gives_the_figures_that_it_gave_on_its_own(template: str, energy_pj: float, latency_cycles: float) -> None:
    """Figures of ZigZag 3.9.1 called directly with its own files, on ResNet18's conv2_1, optimising EDP."""
    simulator = ZigZag(lpf_limit=4)
    if "3.9.1" not in simulator.version:
        pytest.skip(f"the figures are of ZigZag 3.9.1, here is {WHY_NOT}")
    found = simulator.run(design(template=template), Network("w", ((layer("resnet18", "conv2_1"), 1),)))
    assert found["energy_pj"] == pytest.approx(energy_pj, rel=1e-9) and found["latency_cycles"] == latency_cycles
    assert 0 < found["mac_energy_pj"] < energy_pj and 0 < found["utilisation"] < 1


@pytest.mark.slow
@pytest.mark.skipif(not REAL, reason=WHY_NOT)
def test_zigzag_itself_on_a_depthwise_layer_and_a_memory_that_is_too_small() -> None:
    tiny = Network("tiny", ((Layer("depthwise", 1, 32, 3, 3, 8, 8, depthwise=True), 1),))
    assert ZigZag(lpf_limit=3).run(design(), tiny)["utilisation"] > 0.01
