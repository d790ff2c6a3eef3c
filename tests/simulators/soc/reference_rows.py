"""FARSI's own outputs where they are at hand, and its tasks and blocks as the scalar model takes them: nothing of the product is used."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.simulators.soc.scalar_model import Graph, Memory, Pe, Soc, Table

ORACLE = Path(__file__).resolve().parents[4] / "shared" / "oracle"
FARSI = ORACLE / "farsi"
TABLES = {"farsi_public.csv": 120, "farsi_wide_public.csv": 60}
WORKLOADS = ("audio_decoder", "hpvm_cava", "edge_detection")
needs_rows = pytest.mark.skipif(not FARSI.is_dir(), reason=f"reference outputs of FARSI are not at {FARSI}")


@cache
def rows(table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pd.read_csv(ORACLE / table).to_dict("records")  # type: ignore[assignment]
    return [{**row, "design": json.loads(row["design_json"])} for row in found]


@cache
def memory_table() -> Table:
    kinds = {"ram": "sram", "main memory": "dram"}
    frame = pd.read_csv(FARSI / "cacti_mem_table.csv")
    columns = [frame[name] for name in ("mem_subtype", "mem_size", "read_energy_per_byte", "write_energy_per_byte", "area")]
    return Table({(kinds[kind], int(size)): (read, write, area) for kind, size, read, write, area in zip(*columns, strict=True)})


@cache
def graph(workload: str) -> Graph:
    tasks = pd.read_csv(FARSI / f"tasks_{workload}.csv", keep_default_na=False).set_index("task")
    last = pd.read_csv(FARSI / "raw_last_tasks.csv").set_index("workload")["last_task"][workload]
    return Graph(
        {str(task): float(work) for task, work in tasks["work_instructions"].items()},
        {str(task): float(burst) for task, burst in tasks["burst_bytes"].items()},
        {str(task): json.loads(str(children)) for task, children in tasks["children_bytes_json"].items()},
        {str(task): [name for name in str(parents).split("|") if name] for task, parents in tasks["parents"].items()},
        str(last),
    )


@cache
def blocks(workload: str) -> dict[str, dict[str, Any]]:
    frame = pd.read_csv(FARSI / f"blocks_{workload}.csv").set_index("name")
    return frame.to_dict("index")  # type: ignore[return-value]


def soc(workload: str, design: dict[str, Any]) -> Soc:
    known = blocks(workload)

    def pe(name: str) -> Pe:
        block = known[name]
        fixed = 1 / block["work_per_m2"] if block["subtype"] == "gpp" else None
        return Pe(block["peak_work_rate"], block["work_per_joule"], block["work_per_m2"], fixed)

    return Soc(
        [pe(name) for name in design["pes"]],
        [Memory(known[name]["peak_work_rate"], known[name]["subtype"]) for name in design["mems"]],
        [known[name]["peak_work_rate"] for name in design["buses"]],
        design["pe_to_bus"],
        design["mem_to_bus"],
        [(a, b) for a, b in design["bus_links"]],
        design["task_to_pe"],
        design["task_to_mem"],
    )
