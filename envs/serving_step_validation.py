"""Step latencies of NVIDIA's aiconfigurator, compared with our step costs by system, model and kind of step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from designgym.core.errors import InputError, shorten
from designgym.core.validation import ColumnComparison, TableComparison
from designgym.envs.reference_tables import read_table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from designgym.simulators.serving.cost_tables import StepCosts

STEP_COLUMNS = ("system", "model", "tp", "gemm_dtype", "kv_dtype", "kind", "a", "b", "prefix", "latency_ms")
KINDS = ("decode", "prefill", "prefill_prefix", "mixed")
PROMPT, CONTEXT = 1024, 1024 + 256 // 2  # of mixed steps: tokens of a prompt; of a decoding request that has half of its 256 tokens
WHOLE = {0.5: 0.03, 0.9: 0.1}  # largest relative error at quantiles of many rows,
PART = {0.5: 0.06, 0.9: 0.15}  # and of those of one system, model and kind, of which there may be few
_WHOLE = ("tp", "a", "b", "prefix")
_ENGINE = ["system", "model", "tp", "gemm_dtype", "kv_dtype"]


def is_step_table(header: Sequence[str]) -> bool:
    """Return whether these are columns of a table of step latencies."""
    return {"system", "gemm_dtype", "kind"} <= set(header)


def read_step_table(reference: Path) -> pd.DataFrame:
    """Return a table of step latencies, CSV or Parquet.

    Raises:
        InputError: If it cannot be used, naming the row and the column.
    """
    import pandas as pd

    if reference.suffix == ".parquet":
        try:
            frame = pd.read_parquet(reference)
        except (OSError, ValueError) as error:
            raise InputError(f"cannot read the reference table {reference}: {error}") from None
    else:
        header, rows = read_table(reference)
        frame = pd.DataFrame([row for _, row in rows], columns=header)
    if missing := [name for name in STEP_COLUMNS if name not in frame.columns]:
        raise InputError(f"{reference} lacks the columns {', '.join(missing)}")
    if frame.empty:
        raise InputError(f"{reference} has no row to compare")
    return _checked(reference, frame)


def _checked(reference: Path, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with numbers for numbers; raises `InputError` for the first row that is no step."""
    import pandas as pd

    checked = frame.reset_index(drop=True)

    def refuse(wrong: pd.Series[bool], column: str, expected: str) -> None:
        if wrong.any():
            row = int(wrong.to_numpy().argmax())
            seen = checked[column].tolist()[row]
            raise InputError(f"{reference} row {row + 1}, column {column}: got {shorten(seen, 40)}, expected {expected}")

    for name in _WHOLE:
        numbers = pd.to_numeric(checked[name], errors="coerce")
        least = 0 if name == "prefix" else 1
        refuse(~(numbers >= least) | (numbers % 1 != 0), name, f"a whole number of {least} or more")
        checked[name] = numbers.astype("int64")
    latency = pd.to_numeric(checked.latency_ms, errors="coerce")
    refuse(~(latency > 0) | (latency == math.inf), "latency_ms", "a positive number")
    checked["latency_ms"] = latency.astype("float64")
    refuse(~checked.kind.isin(KINDS), "kind", f"one of {', '.join(KINDS)}")
    refuse(checked.kind.str.startswith("prefill") & (checked.prefix >= checked.b), "prefix", "fewer tokens than b, the whole prompt")
    return checked


def compare_step_table(reference: Path) -> TableComparison:
    """Compute every row of a table and compare.

    A column of the result is a statistic of relative errors, the median or the 90th percentile: of all rows, by kind, by system, by model,
    and by all three. Rows within 10 % count as equal; those of an engine whose steps cannot be computed are refused.

    Raises:
        InputError: If the table cannot be used, naming the row and the column.
    """
    import numpy as np

    frame = read_step_table(reference)
    ours, refused = _computed(reference, frame)
    errors = np.abs(ours / frame.latency_ms.to_numpy() - 1)
    known = frame.assign(error=errors, model=[str(name).rsplit("/", 1)[-1] for name in frame.model])
    known = known[~np.isnan(errors)]
    columns = list(_statistics("all", known, WHOLE)) if len(known) else []
    for by in (["kind"], ["system"], ["model"], ["system", "model", "kind"]):
        for key, part in known.groupby(by):
            columns += _statistics(" ".join(map(str, key)), part, WHOLE if len(by) == 1 else PART)
    values = [None if math.isnan(value) else value for value in ours]
    lines = frame.assign(ours_latency_ms=ours).to_csv(index=False).splitlines() if reference.suffix == ".parquet" else None
    return TableComparison(tuple(columns), {"latency_ms": values}, int((errors <= WHOLE[0.9]).sum()), len(frame), lines, refused)


def _statistics(name: str, rows: pd.DataFrame, tolerances: Mapping[float, float]) -> Iterator[ColumnComparison]:
    """Yield the quantiles of some rows' errors."""
    worst = rows.iloc[int(rows.error.to_numpy().argmax())]
    label = " ".join(str(worst[column]) for column in (*_ENGINE, "kind", "a", "b", "prefix"))
    for quantile, tolerance in tolerances.items():
        value = float(rows.error.quantile(quantile))
        title = f"{name}, {'median' if quantile == 0.5 else f'p{quantile * 100:.0f}'} of {len(rows)}"
        yield ColumnComparison(title, 1, int(value <= tolerance), tolerance, value, value, f"{label}: {worst.error:.3g}")


def _computed(reference: Path, frame: pd.DataFrame) -> tuple[NDArray[np.float64], list[str]]:
    """Return our latency of every row in milliseconds, NaN where there is none, and why."""
    import numpy as np

    from designgym.simulators.serving.costs import step_costs_for

    ours, refused = np.full(len(frame), np.nan), []
    for key, rows in frame.groupby(_ENGINE):
        system, model, tp, gemm, kv = map(str, key)
        try:
            if unknown := {gemm, kv} - {"bfloat16", "fp8"}:
                raise InputError(f"format {unknown.pop()!r} is not known: expected bfloat16 or fp8")
            costs = step_costs_for(
                model,
                system,
                tensor_parallel=int(tp),
                quantization="fp8" if gemm == "fp8" else None,
                kv_cache_dtype="fp8" if kv == "fp8" else "auto",
            )
        except InputError as error:
            refused.append(f"{reference} row {rows.index[0] + 1} and {len(rows) - 1} others ({' '.join(map(str, key))}): {error}")
            continue
        ours[rows.index] = _latencies_ms(costs, rows)
    return ours, refused


def _latencies_ms(costs: StepCosts, rows: pd.DataFrame) -> NDArray[np.float64]:
    """Return the latencies of steps of one engine.

    A mixed step computes ``a`` tokens of prompts of 1024 beside ``b`` decodes. Shorter than a prompt, it is one of the chunks of equal size
    that the prompt is divided into, and its latency the average over them.
    """
    import numpy as np

    from designgym.simulators.serving.costs import step_features, step_seconds_by

    kind, a, b, prefix = (rows[name].to_numpy() for name in ("kind", "a", "b", "prefix"))
    decode, mixed = kind == "decode", kind == "mixed"
    chunks = np.where(mixed, -(-PROMPT // a), 1)
    prompts = np.where(decode, 0, np.where(mixed, -(-a // PROMPT), a))
    total = np.zeros(len(rows))
    for chunk in range(int(chunks.max())):
        now = chunk % chunks
        features = step_features(
            decodes=np.where(decode, a, np.where(mixed, b, 0)),
            context=np.where(decode, b, CONTEXT),
            prompts=prompts,
            prompt_tokens=np.where(mixed, a // np.maximum(prompts, 1), b - prefix),
            past=np.where(mixed, now * a, prefix),
            completed=np.where(now == chunks - 1, prompts, 0),
        )
        total += np.where(chunk < chunks, step_seconds_by(costs, features), 0.0)
    return np.asarray(1e3 * total / chunks)
