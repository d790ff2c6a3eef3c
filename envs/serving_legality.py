"""Verdicts of vLLM on engine arguments, compared with ours: whether it starts, and what it complains of first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from designgym.core.errors import InputError, shorten
from designgym.core.validation import ColumnComparison, TableComparison
from designgym.envs.reference_tables import number_in

LEGALITY_COLUMNS = ("max_num_seqs", "max_num_batched_tokens", "max_model_len", "tensor_parallel_size", "legal")
_WHOLE = (*LEGALITY_COLUMNS[:-1], "pipeline_parallel_size", "long_prefill_token_threshold", "spec_ngram_tokens")
_TRUTHS = ("enable_chunked_prefill", "enable_prefix_caching")

# What is in vLLM's message, and in ours.
_PHRASES = {
    "derived max_model_len": "derived max_model_len",
    "Input should be greater than 0": "should be greater than 0",
    "Input should be less than or equal to 1": "should be less than or equal to 1",
    "is smaller than max_model_len": "is smaller than max_model_len",
    "must be greater than or equal to max_num_seqs": "must be greater than or equal to max_num_seqs",
    "long_prefill_token_threshold": "long_prefill_token_threshold cannot be greater",
    "async scheduling is only supported": "async scheduling is only supported",
    "Total number of attention heads": "number of attention heads",
}


def compare_legality(reference: Path, header: Sequence[str], rows: Sequence[tuple[int, dict[str, str]]]) -> TableComparison:
    """Judge every row of a table of engine arguments, and compare verdicts and first complaints.

    The model is that of the table: a Llama of 4 layers with 8 heads and 4 key/value heads, hidden size 256 and 4,096 positions. The error
    of ``legal`` and ``reason`` is 1 where they differ.

    Raises:
        InputError: If the table cannot be used, naming the row and the column.
    """
    from designgym.simulators.serving.costs.models import ModelShape
    from designgym.simulators.serving.engine_arguments import engine_refusals

    if missing := [name for name in LEGALITY_COLUMNS if name not in header]:
        raise InputError(f"{reference} lacks the columns {', '.join(missing)}")
    if not rows:
        raise InputError(f"{reference} has no row to compare")
    model = ModelShape("of the table", 4, 256, 8, 4, 32, 688, 32000, 4096)
    verdicts: list[float] = []
    wrong: dict[str, list[tuple[int, float]]] = {"legal": [], "reason": []}
    for i, (line, row) in enumerate(rows):
        place = f"{reference} row {i + 1} (line {line})"
        refusals = engine_refusals(_arguments(place, row), model)
        verdicts.append(float(not refusals))
        wrong["legal"].append((i, abs(number_in(f"{place}, column legal", row["legal"]) - verdicts[-1])))
        if said := row.get("reason", ""):
            wrong["reason"].append((i, float(not refusals or not _same(said, refusals[0]))))
    columns = tuple(_column(name, found, rows) for name, found in wrong.items() if found)
    bad = {i for found in wrong.values() for i, error in found if error}
    return TableComparison(columns, {"legal": verdicts}, len(rows) - len(bad), len(rows))


def _arguments(place: str, row: Mapping[str, str]) -> dict[str, object]:
    values: dict[str, object] = {name: int(_given(place, row, name, 0)) for name in _WHOLE}
    values["gpu_memory_utilization"] = _given(place, row, "gpu_memory_utilization", 0.92)
    for name in _TRUTHS:
        values[name] = _truth(place, row, name, "True") == "True"
    values["async_scheduling"] = {"True": "on", "False": "off", "": "auto"}[_truth(place, row, "async_scheduling", "")]
    values["speculative_method"] = "ngram" if values["spec_ngram_tokens"] else "none"
    return values


def _given(place: str, row: Mapping[str, str], name: str, default: float) -> float:
    text = row.get(name, "")
    return number_in(f"{place}, column {name}", text) if text else default


def _truth(place: str, row: Mapping[str, str], name: str, default: str) -> str:
    given = row.get(name, "") or default
    text = {"1": "True", "0": "False"}.get(given, given.capitalize())
    if text not in ("True", "False", ""):
        raise InputError(f"{place}, column {name}: got {shorten(given, 40)}, expected True, False or nothing")
    return text


def _same(said: str, ours: str) -> bool:
    return any(theirs in said and mine in ours for theirs, mine in _PHRASES.items())


def _column(name: str, found: Sequence[tuple[int, float]], rows: Sequence[tuple[int, dict[str, str]]]) -> ColumnComparison:
    worst = max(found, key=lambda pair: pair[1])
    label = f"{rows[worst[0]][1].get('config_id') or worst[0] + 1}" if worst[1] else None
    return ColumnComparison(name, len(found), sum(not error for _, error in found), 0.0, worst[1], worst[1], label)
