"""The commands on the DRAM environment, as an outside check would call them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

Run = Callable[..., Result]
Write = Callable[..., Path]

ENV = "designgym/DramController-v0"
ORACLE = Path(__file__).resolve().parents[4] / "shared" / "oracle"
DESIGN: dict[str, Any] = {
    "PagePolicy": "ClosedAdaptive", "Scheduler": "Fifo", "SchedulerBuffer": "Bankwise", "RequestBufferSize": 2, "RespQueue": "Reorder",
    "RefreshPolicy": "AllBank", "RefreshMaxPostponed": 3, "RefreshMaxPulledin": 1, "Arbiter": "Reorder", "MaxActiveTransactions": 2,
}  # fmt: skip
NO_REFRESH = DESIGN | {"RefreshPolicy": "NoRefresh"}
TRACE = "".join(f"{4 * i}:\t{'write' if i % 3 else 'read'}\t{hex(64 * (i * 97 % 4096))}\n" for i in range(200))

needs_oracle = pytest.mark.skipif(not (ORACLE / "dramsys").is_dir(), reason=f"reference outputs of DRAMSys are not at {ORACLE}")


def test_envs_lists_both_environments(run: Run) -> None:
    entries = {entry["id"]: entry for entry in json.loads(run("envs", "--json", plugin=False).stdout)}
    entry = entries[ENV]
    assert entry["installed"] and entry["size"] > 10**6 and entry["simulator"] == "dram-controller"
    assert [parameter["name"] for parameter in entry["parameters"]] == list(DESIGN)
    units = {metric["name"]: metric["unit"] for metric in entry["metrics"]}
    assert (units["total_time_ns"], units["energy_pj"], units["power_mw"]) == ("ns", "pJ", "mW")
    assert "cloud-like" in entry["workloads"] and entry["default_objective"] == "energy_delay"
    adapter = entries["designgym/DramControllerDramSys-v0"]
    assert adapter["installed"] is False and "DESIGNGYM_DRAMSYS" in adapter["how_to_install"]


def test_evaluate_a_trace_of_the_user_by_path_and_by_name(run: Run, write: Write, tmp_path: Path) -> None:
    trace, designs = write(TRACE, "mine.stl"), write([DESIGN, NO_REFRESH, DESIGN | {"RequestBufferSize": 8}])
    by_path = run("evaluate", ENV, "--designs", designs, "--workload", trace, "--jsonl")
    by_name = run("evaluate", ENV, "--designs", designs, "--workload", "mine", "--workloads", tmp_path, "--jsonl")
    first, second, third = (json.loads(line) for line in by_path.stdout.splitlines())
    assert by_path.exit_code == by_name.exit_code == 0
    assert first["metrics"]["total_time_ns"] > 200 * 4 * 1.25 and first["obtained"] == "measured" and first["cost_s"] > 0
    assert second["status"] == "infeasible" and "refreshed" in second["reasons"][0]
    assert third["obtained"] == "exact hit"  # the arbiter lets two requests in: a larger buffer changes nothing
    assert [json.loads(line)["metrics"] for line in by_name.stdout.splitlines()] == [first["metrics"], {}, third["metrics"]]
    allowed = run("evaluate", ENV, "--designs", designs, "--workload", trace, "--jsonl", "--option", "allow_no_refresh=true")
    assert [json.loads(line)["status"] for line in allowed.stdout.splitlines()] == ["ok"] * 3


def test_the_three_keys(run: Run, write: Write) -> None:
    designs = write([DESIGN, DESIGN | {"RequestBufferSize": 8}, DESIGN | {"PagePolicy": "Open"}])
    a, b, c = (json.loads(line) for line in run("hash", ENV, "--designs", designs).stdout.splitlines())
    assert a["literal"] != b["literal"] and a["canonical"] == b["canonical"] != c["canonical"]
    assert a["functional"] == b["functional"] != c["functional"]


def test_times_that_go_back_are_refused_in_a_file_of_ones_own_and_accepted_by_name(run: Run, write: Write, tmp_path: Path) -> None:
    trace, designs = write("5:\tread\t0x0\n3:\tread\t0x2000\n9:\twrite\t0x4000\n", "back.stl"), write([DESIGN])
    refused = run("evaluate", ENV, "--designs", designs, "--workload", trace, "--jsonl")
    assert refused.exit_code == 2 and "line 2" in refused.stderr and "--clamp-times" in refused.stderr and refused.stdout == ""
    by_name = run("evaluate", ENV, "--designs", designs, "--workload", "back", "--workloads", tmp_path, "--jsonl")
    assert by_name.exit_code == 0, by_name.stderr
    assert run("data", "import", "dram", trace, "--to", tmp_path / "data", "--clamp-times").exit_code == 0
    imported = run("evaluate", ENV, "--designs", designs, "--workload", tmp_path / "data" / "back.stl", "--jsonl")
    assert json.loads(by_name.stdout)["metrics"] == json.loads(imported.stdout)["metrics"]
    searched = run("search", ENV, "--workload", "back", "--workloads", tmp_path, "--budget", 2, "--json")
    assert searched.exit_code == 0, searched.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--workload", "cloud-liek"], ["unknown DRAM workload 'cloud-liek'", "did you mean 'cloud-like'"]),
        (["--workload", "stream"], ["it is ArchGym's and not shipped here", "designgym data import dram"]),
        (["--workload", "BROKEN"], ["broken.stl, line 201", "neither 'read' nor 'write'"]),
        (["--workload", "/no/such.stl"], ["there is no such file"]),
        (["--option", "allow_no_refresh=maybe"], ["allow_no_refresh must be true or false, got 'maybe'"]),
        (["--option", "threads=0"], ["threads must be 1 or more, got 0"]),
        (["--option", "memory=/no/such.json"], ["/no/such.json"]),
        (["--option", "NoRefresh=true"], ["unknown option of designgym/DramController-v0 'NoRefresh'"]),
    ],
)
def test_bad_input(run: Run, write: Write, arguments: list[str], says: list[str]) -> None:
    broken = write(TRACE + "900:\tfetch\t0x0\n", "broken.stl")
    result = run("evaluate", ENV, "--designs", write([DESIGN]), *(str(broken) if part == "BROKEN" else part for part in arguments))
    assert result.exit_code == 2 and result.stdout == ""
    for part in says:
        assert part in result.stderr, result.stderr


@needs_oracle
def test_evaluate_equals_dramsys(run: Run, write: Write) -> None:
    result = run(
        "evaluate", ENV, "--designs", write([DESIGN]), "--workload", "stream", "--workloads", ORACLE / "dramsys" / "traces", "--jsonl"
    )
    metrics = json.loads(result.stdout)["metrics"]
    assert (metrics["total_time_ns"], metrics["energy_pj"]) == (239771.25, 262874250.0)


@needs_oracle
def test_validate_a_table_and_write_our_values(run: Run, tmp_path: Path) -> None:
    lines = (ORACLE / "dramsys_ddr3_mixed_public.csv").read_text().splitlines()
    reference, out, traces = tmp_path / "some.csv", tmp_path / "out.csv", ORACLE / "dramsys" / "traces"
    reference.write_text("\n".join(lines[:13]) + "\n")
    arguments = ["validate", ENV, "--workloads", traces, "--out", out, "--reference", reference]
    result = run(*arguments)
    assert result.exit_code == 0 and "12 of 12 rows equal" in result.stdout
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [",".join(row[name] for name in lines[0].split(",")) for row in rows] == lines[1:13]
    ours = [name for name in rows[0] if name.startswith("ours_")]
    assert len(ours) == 18 and all(float(row["ours_time_ns"]) == float(row["time_ns"]) for row in rows)
    reference.write_text("\n".join([*lines[:12], lines[12].replace(rows[11]["time_ns"], "1.0")]) + "\n")
    wrong = run(*arguments)
    assert wrong.exit_code == 1 and "11 of 12 rows equal" in wrong.stdout
