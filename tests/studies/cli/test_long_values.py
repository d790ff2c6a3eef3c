"""Designs that fill pages: the table stays readable, and the best design is shown whole below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

import designgym as dg
from designgym.studies.cli.study_tables import CELL, print_best

STEP = dg.DesignSpace(operation=dg.Categorical("multiply", "accumulate"), register=dg.Integer(0, 9))


@dg.simulator(space=dg.DesignSpace(steps=dg.Repeated(STEP, 8, 12)), metrics=[dg.metric("length", goal="min")], version="1")
def programs(design: Mapping[str, Any], workload: Any, *, seed: int) -> dict[str, float]:
    return {"length": float(len(design["steps"]))}


dg.register("test/LongPrograms-v0", programs, workloads={"none": None}, objective=dg.minimize("length"))


def test_long_values_are_cut_in_the_table_and_whole_below(capsys: pytest.CaptureFixture[str]) -> None:
    study = dg.Study("long", env="test/LongPrograms-v0", searchers="random", budget=8, store=":memory:")
    result = study.run(backend="local", progress=False)
    capsys.readouterr()
    print_best(result, 3)
    table, _, below = capsys.readouterr().out.partition("1, steps: ")
    [row] = [line for line in table.splitlines() if line.startswith("steps")]
    assert row.count("…") == 3 and all(len(cell.strip()) <= CELL for cell in row.split("  ") if "…" in cell)
    assert below.count("register") + below.count("r=") == 8 and max(map(len, below.splitlines())) <= 120
