"""The adapter of the real DRAMSys: units, failures and files with a stand-in program, figures with the real one where it is."""

import csv
import json
import os
import pickle
import stat
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from designgym.core.design import Design
from designgym.core.errors import InputError, NotInstalledError
from designgym.core.external import ProgramError, ProgramTimeout
from designgym.core.protocols import Simulator
from designgym.core.workload import Workload
from designgym.simulators.dram.controller import ControllerConfig
from designgym.simulators.dram.dramsys_binary import VARIABLE, DramSysBinary
from designgym.simulators.dram.dramsys_files import ReportError, parse_report
from designgym.simulators.dram.memory import MemorySpec
from designgym.simulators.dram.space import controller_space
from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.workloads import find_workload, generate

ORACLE = Path(__file__).parents[4] / "shared" / "oracle"

# Takes what the real program takes, looks at every file it would read, and prints a report in the same form.
STAND_IN = """\
import json, os, pathlib, sys, time
if __name__ == "__main__":
    simulation = json.load(open(sys.argv[1]))["simulation"]
    configs = sys.argv[2] + "configs/"
    controller = json.load(open(configs + "mcconfigs/" + simulation["mcconfig"]))["mcconfig"]
    memory = json.load(open(configs + "memspecs/" + simulation["memspec"]))["memspec"]
    json.load(open(configs + "simulator/" + simulation["simconfig"]))["simconfig"]
    json.load(open(configs + "thermalsim/" + simulation["thermalconfig"]))["thermalsimconfig"]
    bits = json.load(open(configs + "amconfigs/" + simulation["addressmapping"]))["CONGEN"]
    player = simulation["tracesetup"][0]
    requests = len(open(sys.argv[2] + "traces/" + player["name"]).readlines())
    assert bits["ROW_BIT"] == list(range(16, 30)) and memory["memtimingspec"]["CL"] == 10 and player["clkMhz"] == 800
    assert memory["memtimingspec"]["clkMhz"] == 800 and controller["CmdMux"] == "Oldest"
    mode = MODE
    if mode == "hang":
        print("started", flush=True)
        time.sleep(60)
    if mode == "crash":
        sys.exit("terminate called after throwing an instance of 'std::invalid_argument'")
    if mode == "echo":
        pathlib.Path(ECHO).write_text(json.dumps([controller, requests, os.getcwd()]))
    print("banner\\n")
    if mode != "silent":
        print("DRAMSys.dram0  Total Energy:   354964950.00 pJ")
        print("DRAMSys.dram0  Average Power:  1232.60 mW")
        print("DRAMSys.controller0  Total Time:     " + {"ps": "168947500 ps", "us": "80 us", "unit": "5 min"}.get(mode, "287980 ns"))
        print("DRAMSys.controller0  AVG BW:         17.78 Gb/s (17.36 %)")
        print("DRAMSys.controller0  AVG BW\\\\IDLE:    27.78 Gb/s (27.36 %)")
        print("DRAMSys.controller0  MAX BW:         102.40 Gb/s")
"""

DESIGN = ControllerConfig(PagePolicy="Closed", RequestBufferSize=3)


def stand_in(folder: Path, mode: str = "ns", timeout_s: float = 60.0) -> DramSysBinary:
    path = folder / "DRAMSys"
    text = STAND_IN.replace("MODE", repr(mode)).replace("ECHO", repr(str(folder / "echo.json")))
    path.write_text(f"#!{sys.executable} -E\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return DramSysBinary(path, timeout_s=timeout_s)


@pytest.fixture
def trace() -> Trace:
    return generate("mixed", requests=20)


@pytest.mark.parametrize(("mode", "total_time_ns"), [("ns", 287980.0), ("ps", 168947.5), ("us", 80_000.0)])
def test_every_unit_of_time_is_normalised(tmp_path: Path, trace: Trace, mode: str, total_time_ns: float) -> None:
    report = stand_in(tmp_path, mode).run(DESIGN, trace)
    assert vars(report) == {
        "total_time_ns": total_time_ns,
        "energy_pj": 354964950.0,
        "power_mw": 1232.6,
        "bandwidth_gbps": 17.78,
    }


def lines(time: str = "1 ns", energy: str = "1.00 pJ", power: str = "1.00 mW", bandwidth: str = "1.00 Gb/s (1.00 %)") -> str:
    figures = {"Total Energy": energy, "Average Power": power, "Total Time": time, "AVG BW": bandwidth, "AVG BW\\IDLE": "9 Gb/s"}
    return "".join(f"x.y0  {label}:   {figure}\n" for label, figure in figures.items())


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        (lines(time="123456789 fs"), "total_time_ns", 123.456789),
        (lines(time="2 ms"), "total_time_ns", 2e6),
        (lines(time="1 s"), "total_time_ns", 1e9),
        (lines(energy="1.5 uJ"), "energy_pj", 1.5e6),
        (lines(energy="2.5e+08 pJ"), "energy_pj", 2.5e8),
        (lines(power="1.25 W"), "power_mw", 1250.0),
        (lines(bandwidth="512.00 Mb/s (0.50 %)"), "bandwidth_gbps", 0.512),
    ],
)
def test_every_figure_is_converted_by_its_own_unit(text: str, name: str, value: float) -> None:
    assert getattr(parse_report(text), name) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected one line 'Total Time:' in its output, found 0"),
        (lines() + lines(), "expected one line 'Total Time:' in its output, found 2"),
        (lines(time="5 min"), r"expected 'Total Time: <number> <fs\|ps\|ns\|us\|ms\|s>', got '5 min'"),
        (lines(time="5"), "got '5'"),
        (lines(energy="nan pJ"), "got 'nan pJ'"),
        (lines(energy="-nan pJ"), "got '-nan pJ'"),
        (lines(power="1.2.3 mW"), "got '1.2.3 mW'"),
        (lines(time=""), "got ''"),
    ],
)
def test_output_that_is_no_report_is_refused(text: str, message: str) -> None:
    with pytest.raises(ReportError, match=message):
        parse_report(text)


def test_failures_start_with_exit_code_and_stderr(tmp_path: Path, trace: Trace) -> None:
    with pytest.raises(ProgramError, match=r"exited with code 1; stderr: terminate called"):
        stand_in(tmp_path, "crash").run(DESIGN, trace)
    with pytest.raises(ReportError, match=r"exited with code 0; stderr: \(empty\); expected one line 'Total Time:'.*banner"):
        stand_in(tmp_path, "silent").run(DESIGN, trace)


def test_a_run_that_hangs_is_killed(tmp_path: Path, trace: Trace) -> None:
    started = time.perf_counter()
    with pytest.raises(ProgramTimeout, match=r"longer than 1 s and was killed"):
        stand_in(tmp_path, "hang", timeout_s=1.0).run(DESIGN, trace)
    assert time.perf_counter() - started < 20


def evaluate(simulator: DramSysBinary, trace: Trace, fidelity: float = 1.0) -> tuple[str, dict[str, float], str]:
    (metrics,) = simulator.evaluate([Design(DESIGN.to_dict())], Workload("w", trace), fidelity=fidelity)
    assert metrics.checked(simulator.metrics) == metrics
    assert metrics.cost_s > 0
    return metrics.status, dict(metrics.values), metrics.error


def test_failures_are_statuses(tmp_path: Path, trace: Trace) -> None:
    # DRAMSys leaves the last request out of its bandwidth; ours counts all 20.
    assert evaluate(stand_in(tmp_path), trace)[:2] == (
        "ok",
        {"total_time_ns": 287980.0, "energy_pj": 354964950.0, "power_mw": 1232.6, "bandwidth_gbps": 20 * 512 / 287980.0},
    )
    status, values, error = evaluate(stand_in(tmp_path, "crash"), trace)
    assert (status, values) == ("failed", {})
    assert "code 1" in error
    assert evaluate(stand_in(tmp_path, "silent"), trace)[0] == "failed"
    assert evaluate(stand_in(tmp_path, "unit"), trace)[0] == "failed"
    assert evaluate(stand_in(tmp_path, "hang", timeout_s=0.5), trace)[0] == "timeout"


def test_designs_without_refresh_are_infeasible_unless_allowed(tmp_path: Path, trace: Trace) -> None:
    simulator = stand_in(tmp_path)
    design = Design(DESIGN.to_dict() | {"RefreshPolicy": "NoRefresh"})
    refused, fine = simulator.evaluate([design, Design(DESIGN.to_dict())], Workload("w", trace))
    assert (refused.status, fine.status) == ("infeasible", "ok")
    assert "never refreshed" in refused.reasons[0]
    allowed = DramSysBinary(simulator.path, allow_no_refresh=True)
    assert allowed.evaluate([design], Workload("w", trace))[0].ok


def test_files_and_fidelity(tmp_path: Path, trace: Trace) -> None:
    simulator = stand_in(tmp_path, "echo")
    assert evaluate(simulator, trace, fidelity=0.25)[0] == "ok"
    controller, requests, folder = json.loads((tmp_path / "echo.json").read_text())
    assert controller.items() >= DESIGN.to_dict().items()
    assert requests == 5
    assert not Path(folder).exists()  # a folder of its own, removed afterwards


@pytest.mark.parametrize("fidelity", [0.0, -1.0, 1.5, float("nan")])
def test_bad_fidelity_is_refused(tmp_path: Path, trace: Trace, fidelity: float) -> None:
    with pytest.raises(InputError, match="fidelity must be more than 0 and at most 1"):
        evaluate(stand_in(tmp_path), trace, fidelity=fidelity)


def test_other_unusable_input(tmp_path: Path, trace: Trace) -> None:
    with pytest.raises(InputError, match="must hold a DRAM trace, but got str"):
        stand_in(tmp_path).evaluate([Design(DESIGN.to_dict())], Workload("w", "text"))
    with pytest.raises(InputError, match="beyond"):
        stand_in(tmp_path).evaluate([Design(DESIGN.to_dict())], Workload("w", Trace("w", [0], [False], [1 << 30])))
    odd_clock = Trace("w", [0], [False], [0], clock_ns=1.3)
    with pytest.raises(InputError, match="whole MHz"):
        stand_in(tmp_path).run(DESIGN, odd_clock)


def test_not_installed_says_how_to_get_it(tmp_path: Path, trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    found, text = DramSysBinary().installed()
    assert not found
    assert "DESIGNGYM_DRAMSYS is not set. Clone https://github.com/srivatsankrishnan/oss-arch-gym" in text
    with pytest.raises(NotInstalledError, match="DESIGNGYM_DRAMSYS is not set"):
        evaluate(DramSysBinary(), trace)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none"))
    assert "there is no file" in DramSysBinary().installed()[1]
    (tmp_path / "none").write_text("")
    assert "chmod +x" in DramSysBinary().installed()[1]


def test_the_executable_is_part_of_the_version(tmp_path: Path) -> None:
    one = stand_in(tmp_path)
    version = one.version
    assert version == one.version
    assert stand_in(tmp_path, "ps").version != version
    assert DramSysBinary(tmp_path / "none").version == "1+missing"
    memory = MemorySpec.load()
    assert DramSysBinary(one.path, memory=memory).version == DramSysBinary(one.path).version
    other = replace(memory, timings=replace(memory.timings, rcd=11))
    assert DramSysBinary(one.path, memory=other).version != DramSysBinary(one.path).version


def test_it_is_a_simulator(tmp_path: Path, trace: Trace) -> None:
    simulator = stand_in(tmp_path)
    assert isinstance(simulator, Simulator)
    assert pickle.loads(pickle.dumps(simulator)).version == simulator.version
    assert simulator.space == controller_space()
    assert DramSysBinary(allow_no_refresh=True).space == controller_space(allow_no_refresh=True)
    with pytest.raises(InputError, match="timeout_s must be more than 0"):
        DramSysBinary(timeout_s=0)
    design = simulator.space.validate(DESIGN.to_dict())
    assert simulator.evaluate([design, design], Workload("w", trace))[1].ok
    assert simulator.probe([], Workload("w", trace)) is None


@pytest.mark.skipif(VARIABLE not in os.environ, reason=f"the real DRAMSys is not here ({VARIABLE} is not set)")
@pytest.mark.skipif(not ORACLE.is_dir(), reason="the reference tables are not here (../shared/oracle)")
def test_the_real_program_gives_the_reference_figures() -> None:
    simulator = DramSysBinary()
    with (ORACLE / "dramsys_ddr3_mixed_public.csv").open() as file:
        rows = list(csv.DictReader(file))[::45]
    for row in rows:
        config = ControllerConfig.from_mapping({name: int(text) if text.isdigit() else text for name, text in row.items()})
        trace = find_workload(row["trace"], directories=[ORACLE / "dramsys" / "traces"])
        expected = tuple(float(row[name]) for name in ("time_ns", "energy_pJ", "power_mW", "avg_bw_Gbps"))
        assert tuple(vars(simulator.run(config, trace)).values()) == expected
