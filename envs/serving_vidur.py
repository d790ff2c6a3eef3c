"""Rows of Vidur's outputs, compared column by column with our simulation of its schedulers on its operator times."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from designgym.core.errors import InputError, shorten
from designgym.core.validation import TableComparison
from designgym.envs.reference_tables import agrees, column_comparison, find_file, number_in

if TYPE_CHECKING:
    from designgym.simulators.serving.cost_tables import VidurStepCosts

VIDUR_COLUMNS = ("model", "device", "tp", "scheduler", "batch_cap", "mem_margin", "attn_table", "qps", "trace_file")
_BUDGETS = {"vllm": "max_tokens_in_batch", "sarathi": "chunk_size"}
_ATTENTION = {"aic_vllm_interp": "aic", "vidur_measured_2024": "vidur2024"}
_WHOLE = ("num_kv_blocks", "iterations", "restarts_total")
_SECONDS = (*(f"{name}_{point}_s" for name in ("ttft", "tpot", "e2e") for point in ("mean", "p50", "p90", "p99")), "makespan_s")
_RATES = ("request_throughput_rps", "output_token_throughput_tps", "mean_batch_requests", "mean_batch_tokens")  # relative tolerance
TOLERANCE = 2e-6


def compare_vidur_rows(
    reference: Path, header: Sequence[str], rows: Sequence[tuple[int, dict[str, str]]], places: Sequence[Path]
) -> TableComparison:
    """Simulate every row of a table and compare its columns.

    Whole numbers must be equal, seconds within 2e-6, throughputs and means of batches within 2e-6 relative.

    Args:
        reference: The table.
        header: Its columns.
        rows: Line and cells of each row.
        places: Folders where traces and operator times are looked up.

    Raises:
        InputError: If the table cannot be used, naming the row and the column.
    """
    if missing := [name for name in VIDUR_COLUMNS if name not in header]:
        raise InputError(f"{reference} lacks the columns {', '.join(missing)}")
    compared = [name for name in (*_WHOLE, *_SECONDS, *_RATES) if name in header]
    if not compared:
        raise InputError(f"{reference} has no column to compare: expected one or more of {', '.join((*_WHOLE, *_SECONDS, *_RATES))}")
    if not rows:
        raise InputError(f"{reference} has no row to compare")
    expected: dict[str, list[float]] = {name: [] for name in compared}
    ours: dict[str, list[float]] = {name: [] for name in compared}
    labels = []
    for i, (line, row) in enumerate(rows):
        place = f"{reference} row {i + 1} (line {line})"
        for name in compared:
            expected[name].append(number_in(f"{place}, column {name}", row[name]))
        found = _simulated(place, row, places)
        for name in compared:
            ours[name].append(found[name])
        labels.append(f"{row.get('config_id') or i + 1} {row['scheduler']}")
    columns = tuple(
        column_comparison(name, expected[name], ours[name], _tolerance(name), labels, relative=name in _RATES) for name in compared
    )
    equal = sum(
        all(agrees(expected[name][i], ours[name][i], _tolerance(name), relative=name in _RATES) for name in compared)
        for i in range(len(rows))
    )
    shown = {name: [None if math.isnan(value) else value for value in values] for name, values in ours.items()}
    return TableComparison(columns, shown, equal, len(rows))


def _tolerance(name: str) -> float:
    return 0.0 if name in _WHOLE else TOLERANCE


def _simulated(place: str, row: Mapping[str, str], places: Sequence[Path]) -> dict[str, float]:
    """Return our columns of a row."""
    from designgym.simulators.serving.simulate import simulate
    from designgym.simulators.serving.vidur_reference import load_trace, make_config, summary

    scheduler = row["scheduler"]
    budget = _BUDGETS.get(scheduler)
    tp = _whole(place, "tp", row)
    margin = _number(place, "mem_margin", row)
    qps = _number(place, "qps", row)
    if not 0 <= margin < 1 or qps <= 0:
        raise InputError(f"{place}: got mem_margin {margin:g} and qps {qps:g}, expected a share of the memory and a positive rate")
    tokens = _whole(place, budget, row) if budget is not None else None
    try:
        config = make_config(
            row["model"], scheduler, tensor_parallel=tp, batch_cap=_whole(place, "batch_cap", row), tokens=tokens, mem_margin=margin
        )
        trace = load_trace(find_file(row["trace_file"], places), qps)
        run = simulate(config, trace, _costs(row, tp, places))
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    return summary(run, config.num_blocks)


def _costs(row: Mapping[str, str], tp: int, places: Sequence[Path]) -> VidurStepCosts:
    from designgym.simulators.serving.vidur_reference import MODELS, TABLE_FILES, load_costs

    if row["attn_table"] not in _ATTENTION:
        raise InputError(f"attn_table is {shorten(row['attn_table'], 40)}, expected {' or '.join(_ATTENTION)}")
    key = f"{row['device']}_{row['model']}_tp{tp}_{_ATTENTION[row['attn_table']]}"
    folder = find_file(TABLE_FILES[0], places).parent
    return load_costs(folder, key, layers=MODELS[row["model"]].layers, tensor_parallel=tp)


def _number(place: str, name: str, row: Mapping[str, str]) -> float:
    value = number_in(f"{place}, column {name}", row.get(name, ""))
    if math.isnan(value):
        raise InputError(f"{place}, column {name}: it is empty, expected a number")
    return value


def _whole(place: str, name: str, row: Mapping[str, str]) -> int:
    value = _number(place, name, row)
    if value != int(value) or value < 1:
        raise InputError(f"{place}, column {name}: got {shorten(row[name], 40)}, expected a positive whole number")
    return int(value)
