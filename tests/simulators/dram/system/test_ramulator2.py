"""The adapter of the user's Ramulator 2.1, with a stand-in for its package that has the documented names and statistics."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from designgym.core.design import Design
from designgym.core.errors import InputError, NotInstalledError
from designgym.core.testing import check_simulator, check_space
from designgym.core.workload import Workload
from designgym.simulators.dram.simulator import make_workload
from designgym.simulators.dram.system.ramulator2 import VARIABLE, Ramulator2, counterpart, ramulator_space
from designgym.simulators.dram.system.ramulator2_files import PRESETS, ReportError, parse_statistics, settings_text, trace_text
from designgym.simulators.dram.system.simulate import simulate_system
from designgym.simulators.dram.system.standard import standard
from designgym.simulators.dram.system.workspace import split_trace
from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.workloads import generate

SPACE = ramulator_space()

# Names as in Ramulator's user guide, sections 3 and 4. It "simulates" five clocks a request and keeps what it was given.
STAND_IN = """
import json, os, sys, time

class Component:
    def __init__(self, **given):
        self.given = given

class Names:
    def __getattr__(self, name):
        return type(name, (Component,), {})

dram = controller = scheduler = refresh_manager = row_policy = addr_mapper = memory_system = channel_mapper = frontend = Names()

class Simulation:
    def __init__(self, frontend, memory):
        self.trace, self.memory = open(frontend.given["path"]).read().split("\\n")[:-1], memory

    def run(self):
        BEHAVIOUR

    @property
    def stats(self):
        reads = sum(line.startswith("LD ") for line in self.trace)
        controller = {
            "cycles": 5 * len(self.trace), "avg_read_latency": 40.0, "read_latency": 40.0 * reads, "num_read_reqs_served": reads,
            "row_hits": len(self.trace) - 2, "row_misses": 1, "row_conflicts": 1, "num_maintenance_reqs_served": 3,
        }
        return {"frontend": {}, "memory_system": {"controller": controller}}
"""


def stand_in(folder: Path, behaviour: str = "print('[info] running')") -> Path:
    package = folder / "python" / "ramulator"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(STAND_IN.replace("BEHAVIOUR", behaviour))
    (package / "_ramulator.cpython-311.so").write_bytes(b"compiled")
    return folder


MIXED = make_workload(generate("mixed", requests=400))


def evaluate(path: Path, design: Design | None = None, workload: Workload = MIXED, **options: Any) -> Any:
    simulator = Ramulator2(path, **options)
    [result] = simulator.evaluate([design or simulator.space.default()], workload)
    return result


def test_statistics_become_metrics(tmp_path: Path) -> None:
    result = evaluate(stand_in(tmp_path))
    assert result.ok and result["total_time_ns"] == pytest.approx(2000 / 1.2)
    assert result["bandwidth_gbps"] == pytest.approx(400 * 512 / (2000 / 1.2))
    assert result["latency_from_accept_avg_ns"] == pytest.approx(40 / 1.2)
    assert (result["row_hit_rate"], result["n_refa"]) == (398 / 400, 3)


def test_channels_run_one_by_one_and_the_last_one_counts(tmp_path: Path) -> None:
    design = SPACE.validate(SPACE.default().replace(Memory="DDR5-4800", ChannelBits="Low"))
    result = evaluate(stand_in(tmp_path), design)
    parts = split_trace(MIXED.data, standard("DDR5-4800"), counterpart(design).mapping)
    assert len(parts) == 2
    assert result["total_time_ns"] == pytest.approx(max(part.bursts.size for part in parts) * 5 / 2.4)
    assert result["n_refa"] == 6


def test_the_program_is_given_our_timings_and_buffers(tmp_path: Path) -> None:
    memory = standard("DDR4-2400")
    config = counterpart(SPACE.validate(SPACE.default().replace(RequestBufferSize=6, WriteHighWatermark=5, WriteLowWatermark=2)))
    settings = json.loads(settings_text(config, memory))
    assert settings["timings"]["nRCD"] == 17 and settings["timings"]["nRRDL"] == 6 and settings["timings"]["nRFC"] == 420
    assert settings["ranks"] == 2 and settings["refresh"] is True
    for writes in range(7):  # as Ramulator compares them
        assert (writes > settings["high"] * 6) == (writes >= 5)
        assert (writes < settings["low"] * 6) == (writes <= 2)


@pytest.mark.parametrize("memory", PRESETS)
def test_addresses_lie_where_ours_do_under_the_programs_mapping(memory: str) -> None:
    """RoBaRaCoCh: columns lowest, then rank, bank group, bank, row."""
    spec, trace = standard(memory), generate("random-like", requests=300)
    org = spec.organisation
    for design in SPACE.sample(np.random.default_rng(3), 10):
        config = counterpart(SPACE.validate(design.replace(Memory=memory)))
        where = config.mapping.decode(trace.addresses, spec)
        for part in split_trace(trace, spec, config.mapping):
            lines = [int(line.split()[1], 16) // 64 for line in trace_text(part, trace, spec, config).splitlines()]
            for line, request in zip(lines, part.requests.tolist(), strict=True):
                rest, column = divmod(line, org.columns // org.burst_length)
                rest, rank = divmod(rest, org.ranks)
                rest, group = divmod(rest, org.bank_groups)
                row, bank = divmod(rest, org.banks_per_group)
                assert (row, column) == (where.row[request], where.column[request])
                assert rank * spec.banks_per_rank + group * org.banks_per_group + bank == where.bank[request]


def test_failures_are_statuses(tmp_path: Path) -> None:
    failed = evaluate(stand_in(tmp_path / "a", "sys.exit('out of rows')"))
    assert failed.status == "failed" and "code 1" in failed.error and "out of rows" in failed.error
    slow = evaluate(stand_in(tmp_path / "b", "time.sleep(60)"), timeout_s=0.5)
    assert slow.status == "timeout" and "0.5 s" in slow.error
    crash = evaluate(stand_in(tmp_path / "c", "os.abort()"))
    assert crash.status == "failed" and "code -6" in crash.error
    silent = evaluate(stand_in(tmp_path / "d", "os._exit(0)"))
    assert silent.status == "failed" and "last line of the output" in silent.error
    garbage = evaluate(stand_in(tmp_path / "e", "self.trace = []"))
    assert garbage.status == "failed" and "must be a number >= 0, got -2" in garbage.error


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a JSON object"),
        ("[1]", "not a JSON object"),
        ('{"cycles": 3}', "'read_latency' must be a number"),
        ('{"cycles": NaN}', "'cycles' must be a number"),
        ('{"cycles": -1}', "'cycles' must be a number >= 0, got -1"),
        ('{"cycles": "3"}', "'cycles' must be a number"),
    ],
)
def test_output_that_is_no_statistics_is_refused(text: str, words: str) -> None:
    with pytest.raises(ReportError, match=words):
        parse_statistics(text)


def test_it_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert Ramulator2().installed()[0] is False and VARIABLE in Ramulator2().installed()[1]
    assert "no python/ramulator" in Ramulator2(tmp_path).installed()[1]
    (stand_in(tmp_path) / "python" / "ramulator" / "_ramulator.cpython-311.so").unlink()
    assert "not built with its Python bindings" in Ramulator2(tmp_path).installed()[1]
    with pytest.raises(NotInstalledError, match="README"):
        Ramulator2(tmp_path).evaluate([SPACE.default()], MIXED)
    assert Ramulator2(tmp_path).version == "1+missing"
    monkeypatch.setenv(VARIABLE, str(stand_in(tmp_path / "there")))
    assert Ramulator2().installed() == (True, str(tmp_path / "there")) and Ramulator2().version != "1+missing"
    with pytest.raises(NotInstalledError, match="cannot start"):
        Ramulator2(python=tmp_path / "no-python").evaluate([SPACE.default()], MIXED)


def test_input_that_it_cannot_express_is_refused(tmp_path: Path) -> None:
    simulator = Ramulator2(stand_in(tmp_path))
    for name in ("pointer-chase", "bursts"):
        with pytest.raises(InputError, match="which the trace format of Ramulator cannot express"):
            simulator.evaluate([simulator.space.default()], make_workload(generate(name, requests=2_000)))
    with pytest.raises(InputError, match="the 2 requests of workload 'writes' are all writes"):
        writes = Trace("writes", np.array([0, 0]), np.array([True, True]), np.array([0, 64]), 1.0)
        simulator.evaluate([simulator.space.default()], make_workload(writes))
    with pytest.raises(InputError, match="fidelity"):
        simulator.evaluate([], MIXED, fidelity=2.0)
    with pytest.raises(InputError, match="must hold a DRAM trace"):
        simulator.evaluate([], Workload("other", 3))
    with pytest.raises(InputError, match="timeout_s"):
        Ramulator2(timeout_s=0)
    illegal = simulator.space.validate(simulator.space.default().replace(WriteHighWatermark=3, WriteLowWatermark=3))
    [result] = simulator.evaluate([illegal], MIXED)
    assert result.status == "infeasible"


def test_the_adapter_keeps_its_contract(tmp_path: Path) -> None:
    check_space(SPACE)
    check_simulator(Ramulator2(stand_in(tmp_path)), MIXED, samples=4, twins=1)  # pyright: ignore[reportArgumentType]  # cached version


@pytest.mark.skipif(not Ramulator2().installed()[0], reason=f"{VARIABLE} does not name a built Ramulator 2.1")
@pytest.mark.parametrize("memory", PRESETS)
def test_the_real_program_takes_about_as_long_on_a_stream(memory: str) -> None:
    simulator, trace = Ramulator2(os.environ[VARIABLE]), generate("stream-like", requests=4_000)
    design = simulator.space.validate(simulator.space.default().replace(Memory=memory))
    [theirs] = simulator.evaluate([design], make_workload(trace))
    ours = simulate_system(counterpart(design), trace)
    assert ours.total_time_ns == pytest.approx(theirs["total_time_ns"], rel=0.02)
    assert ours.row_hit_rate == pytest.approx(theirs["row_hit_rate"], abs=0.01)
    assert ours.latency_from_accept.avg_ns == pytest.approx(theirs["latency_from_accept_avg_ns"], rel=0.05)
