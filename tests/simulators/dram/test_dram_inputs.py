"""What is refused, and what the message says."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from designgym.core.errors import InputError
from designgym.simulators.dram import workspace
from designgym.simulators.dram.controller import PARAMETER_NAMES, ControllerConfig
from designgym.simulators.dram.kernel import run
from designgym.simulators.dram.memory import Currents, MemorySpec
from designgym.simulators.dram.simulate import default_memory, simulate, simulate_batch
from designgym.simulators.dram.state import DEADLOCK, EVENT_LIMIT, LATEST_ARRIVAL
from designgym.simulators.dram.trace import Trace
from designgym.simulators.dram.validation import compare_with_reference

TRACE = Trace("two", [0, 1], [False, True], [0, 64])


def memory_json() -> dict[str, object]:
    m = default_memory()
    return {
        "name": m.name,
        "organisation": asdict(m.organisation),
        "clock_ns": m.clock_ns,
        "timings_cycles": asdict(m.timings),
        "currents_ma": asdict(m.currents),
        "voltage_v": m.voltage_v,
        "address_bits": asdict(m.address_bits),
    }


def test_a_memory_file_of_the_user_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(memory_json()))
    assert MemorySpec.load(path) == default_memory()
    assert default_memory().burst_bytes == 64
    assert default_memory().peak_bandwidth_gbps == 102.4
    assert default_memory().capacity_bytes == 1 << 30


@pytest.mark.parametrize(
    ("section", "name", "value", "message"),
    [
        ("timings_cycles", "rcd", 0, "rcd must be an integer from 1 to 1073741823, but is 0"),
        ("timings_cycles", "rcd", 10**12, "rcd must be an integer from 1 to 1073741823, but is 1000000000000"),
        ("timings_cycles", "rcd", 10.5, "rcd must be an integer from 1 to 1073741823, but is 10.5"),
        ("timings_cycles", "rc", 20, "rc must be at least ras = 28, but is 20"),
        ("timings_cycles", "refi", 80, "refi must exceed rfc = 88"),
        ("organisation", "banks", 16, r"address_bits of bank must number log2\(16\), but are 3"),
        ("currents_ma", "idd0", -1.0, "idd0 must be a current >= 0 mA, but is -1.0"),
        ("currents_ma", "idd0", 10, "idd0 must be at least idd2n = 45 mA, but is 10 mA: activating and precharging would take negative"),
        ("currents_ma", "idd3n", 80, "idd0 must be at least idd3n = 80 mA, but is 70 mA"),
        ("currents_ma", "idd4r", 44.9, "idd4r must be at least idd3n = 45 mA, but is 44.9 mA: a read would"),
        ("currents_ma", "idd4w", 1, "idd4w must be at least idd3n = 45 mA, but is 1 mA: a write would"),
        ("currents_ma", "idd5", 0, "idd5 must be at least idd3n = 45 mA, but is 0 mA: a refresh would"),
        ("currents_ma", "idd0", float("inf"), "idd0 must be a current >= 0 mA, but is inf"),
        ("address_bits", "row", [16, 16, *range(18, 30)], "use each bit from 0 up once"),
        ("address_bits", "row", "16-29", "address_bits of row must be a list of bit numbers, but is '16-29'"),
    ],
)
def test_impossible_memories_are_refused(section: str, name: str, value: object, message: str) -> None:
    data = memory_json()
    data[section] = {**data[section], name: value}  # type: ignore[dict-item]
    with pytest.raises(InputError, match=message):
        MemorySpec.from_dict(data)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("clock_ns", "fast", "clock_ns must be a number > 0, but is 'fast'"),
        ("clock_ns", float("inf"), "clock_ns must be a number > 0, but is inf"),
        ("voltage_v", None, "voltage_v must be a number > 0, but is None"),
        ("name", 5, "name must be text, but is 5"),
        ("address_bits", [1], r"address_bits of a memory must be a JSON object, but is \[1\]"),
        ("organisation", [1], r"organisation of a memory must be a JSON object, but is \[1\]"),
    ],
)
def test_memories_of_other_kinds_of_data_are_refused(name: str, value: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        MemorySpec.from_dict(memory_json() | {name: value})


def test_incomplete_memory_files_are_refused(tmp_path: Path) -> None:
    data = memory_json()
    data.pop("clock_ns")
    with pytest.raises(ValueError, match="missing: clock_ns, unknown: none"):
        MemorySpec.from_dict(data)
    data = memory_json()
    data["timings_cycles"] = {"rl": 10}
    with pytest.raises(ValueError, match="timings_cycles of a memory must have the entries rl, wl"):
        MemorySpec.from_dict(data)
    data["timings_cycles"] = {**asdict(default_memory().timings), "tfoo": 1}
    with pytest.raises(InputError, match="missing: none, unknown: tfoo"):
        MemorySpec.from_dict(data)
    with pytest.raises(InputError, match=r"cannot read the memory file .*none.json: No such file or directory. Check the path."):
        MemorySpec.load(tmp_path / "none.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot be read as JSON"):
        MemorySpec.load(tmp_path / "binary.json")
    with pytest.raises(InputError, match="a memory must be a JSON object"):
        MemorySpec.from_dict([])
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match=r"deep\.json cannot be read as JSON"):
        MemorySpec.load(tmp_path / "deep.json")


def test_a_memory_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    for name, change, message in (
        ("weak", {"currents_ma": {**asdict(default_memory().currents), "idd0": 10}}, r"weak.json: Memory .* idd0 must be at least idd2n"),
        ("short", {"timings_cycles": {"rl": 10}}, r"short.json: timings_cycles of a memory must have .*missing: wl, rcd"),
        ("mute", {"voltage_v": "none"}, r"mute.json: .*voltage_v must be a number > 0"),
    ):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(memory_json() | change))
        with pytest.raises(InputError, match=message):
            MemorySpec.load(path)


@given(st.lists(st.floats(0, 500), min_size=6, max_size=6))
def test_energy_is_never_negative(currents: list[float]) -> None:
    try:
        memory = replace(default_memory(), currents=Currents(*currents))
    except InputError:
        return
    for command in range(5):
        counts = [0] * 5
        counts[command] = 1
        assert memory.energy_pj(0, 0, *counts) >= 0


def test_memories_that_the_simulation_does_not_know_are_refused() -> None:
    m = default_memory()
    bits = replace(m.address_bits, row=m.address_bits.row[:-1], rank=(29,))
    two_ranks = replace(m, organisation=replace(m.organisation, ranks=2, rows=8192), address_bits=bits)
    with pytest.raises(ValueError, match="has 2 ranks"):
        simulate(ControllerConfig(), TRACE, two_ranks)

    many = replace(
        m,
        organisation=replace(m.organisation, banks=64, rows=2048),
        address_bits=replace(m.address_bits, bank=tuple(range(13, 19)), row=tuple(range(19, 30))),
    )
    with pytest.raises(ValueError, match=r"knows up to 62 banks, but .* has 64"):
        simulate(ControllerConfig(), TRACE, many)
    slow = replace(m, timings=replace(m.timings, rrd=1 << 24))
    with pytest.raises(ValueError, match=r"commands 16777216 cycles or more apart \(act_to_act\)"):
        simulate(ControllerConfig(), TRACE, slow)


def test_traces_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="lies beyond the 1073741824 bytes"):
        simulate(ControllerConfig(), Trace("far", [0], [False], [1 << 30]))
    with pytest.raises(ValueError, match=r"clock of trace 'slow' is 2.0 ns"):
        simulate(ControllerConfig(), Trace("slow", [0], [False], [0], clock_ns=2.0))
    with pytest.raises(ValueError, match="'late' arrives after tick 137438953471"):
        simulate(ControllerConfig(), Trace("late", [LATEST_ARRIVAL + 1], [False], [0]))
    with pytest.raises(ValueError, match="equally long and not empty"):
        Trace("empty", [], [], [])
    with pytest.raises(ValueError, match="addresses must be >= 0"):
        Trace("negative", [0], [False], [-64])


def test_traces_are_known_by_their_content() -> None:
    same = Trace("other name", TRACE.arrival_ticks, TRACE.is_write, TRACE.addresses)
    assert same == TRACE and hash(same) == hash(TRACE)
    assert Trace("two", [0, 2], [False, True], [0, 64]) != TRACE
    assert not TRACE.read_only and TRACE.head(1).read_only
    with pytest.raises(ValueError, match="read-only"):
        TRACE.addresses[0] = 1


def test_controllers_list_all_their_problems() -> None:
    with pytest.raises(ValueError, match=r"PagePolicy must be one of .* but is 'Ajar'; RequestBufferSize must be an integer from 1"):
        ControllerConfig(PagePolicy="Ajar", RequestBufferSize=0)
    with pytest.raises(ValueError, match="MaxActiveTransactions is missing"):
        ControllerConfig.from_mapping({name: 1 for name in PARAMETER_NAMES[:-1]})
    with pytest.raises(ValueError, match="threads must be 1 or more, but is 0"):
        simulate_batch([ControllerConfig()], TRACE, threads=0)


def test_numbers_of_any_kind_make_a_controller() -> None:
    values: dict[str, object] = {**ControllerConfig().to_dict(), "RequestBufferSize": np.int64(8), "RefreshMaxPostponed": 8.0}
    assert ControllerConfig.from_mapping(values) == ControllerConfig()


def test_guards_end_runs_that_make_no_progress() -> None:
    decoded = workspace.decode_trace(TRACE, default_memory())
    for status, field, value in ((EVENT_LIMIT, "rounds_left", 5), (DEADLOCK, "channel_busy", 1)):
        w = workspace.Workspace.allocate(decoded, default_memory())
        w.configure(ControllerConfig(Arbiter="Fifo", RefreshPolicy="NoRefresh"))
        w.state[field] = value
        run(w.state, w.banks, w.queues, w.heap, w.trace, w.requests, w.record, w.bins, w.latencies)
        assert w.state["status"][0] == status


def test_a_full_heap_and_a_full_record_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    trace = Trace("gaps", np.cumsum(rng.integers(0, 5000, 300)), rng.random(300) < 0.5, rng.integers(0, 1 << 24, 300) << 6)
    config = ControllerConfig(Arbiter="Fifo", RefreshMaxPulledin=1)
    expected = simulate(config, trace, record_commands=True)
    monkeypatch.setattr(workspace, "HEAP_CAPACITY", 2)
    small = simulate(config, trace, record_commands=True)
    assert expected.commands is not None and small.commands is not None
    assert small.commands.tolist() == expected.commands.tolist()
    assert len(expected.commands) == sum(expected.counts.values())


def test_references_are_compared_with_the_columns_they_have() -> None:
    run_ = simulate(ControllerConfig(), TRACE)
    row = {**ControllerConfig().to_dict(), "trace": "two", "time_ns": run_.total_time_ns, "n_RD": 2}
    comparison = compare_with_reference(pd.DataFrame([row, {**row, "n_RD": 1}]), lambda name: TRACE)
    assert [(error.column, error.rows, error.equal_rows, error.max_abs_error) for error in comparison.errors] == [
        ("time_ns", 2, 2, 0.0),
        ("n_RD", 2, 1, 1.0),
    ]
    assert comparison.table["ours_n_RD"].tolist() == [1, 1]
    assert comparison.equal.tolist() == [False, True]
    assert comparison.errors[1].worst_row == "0 on two"
    with pytest.raises(ValueError, match="lacks the columns trace"):
        compare_with_reference(pd.DataFrame([row]).drop(columns="trace"), lambda name: TRACE)
    with pytest.raises(ValueError, match="none of the columns that can be compared"):
        compare_with_reference(pd.DataFrame([row]).drop(columns=["time_ns", "n_RD"]), lambda name: TRACE)
