"""Step costs from a user's own table of measured steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, nnls

from designgym.core.errors import InputError, shorten
from designgym.simulators.serving.costs.grid import CONTEXT, DECODES, OUTPUTS, PAIRS, PROMPTS, TOKENS, GridStepCosts

__all__ = ["COLUMNS", "measured_step_costs"]

Floats = NDArray[np.float64]

COLUMNS = {
    "kind": "decode or prefill",
    "batch": "requests in the step",
    "tokens": "tokens of each prompt that are computed; 1 for decode",
    "context": "decode: tokens that each request attends to, the new one among them; prefill: tokens of each prompt computed before",
    "latency_ms": "duration of the step in milliseconds",
}
_KINDS = ("decode", "prefill")


def measured_step_costs(path: Path | str) -> GridStepCosts:
    """Return the step costs that a table of measured steps says.

    The table is a CSV file with the columns of `COLUMNS`; others are ignored, and several rows of one step count as their median. It needs
    decodes of a few batch sizes and contexts, and prompts of a few lengths. A step of any kind then takes the sum of one pass over all of
    its tokens, its decodes' attention and its prompts' attention. Their parts in a measured step: how prompts grow with the pairs of tokens
    that attend is fitted (non-negative least squares of relative errors), decodes without context are extrapolated, and the pass is the
    largest curve below both that never falls. What remains is attention, linear in between; measured decodes keep their times as far as
    more work did not take less, prompts as far as those with as many pairs agree. Beyond the last ones times go on as between the last two.

    Raises:
        InputError: If the file cannot be read, lacks a column or a kind of step, or has a row that is no measured step.
    """
    rows_read = _read(Path(path))
    steps = rows_read.groupby(["kind", "batch", "tokens", "context"])["latency_ms"].median().reset_index()
    decode, prefill = (steps[steps.kind == kind] for kind in _KINDS)
    tokens, past, prompts = (prefill[name].to_numpy(dtype=np.float64) for name in ("tokens", "context", "batch"))
    pairs, rows, prompt_s = prompts * (tokens * past + tokens * (tokens + 1) / 2), prompts * tokens, prefill.latency_ms.to_numpy() * 1e-3
    curves = {float(b): _decode_curve(decode[decode.batch == b]) for b in sorted(set(decode.batch))}

    at = np.array([*curves, *rows])
    below = np.array([*(seconds[0] for _, seconds in curves.values()), *_without_pairs(rows, pairs, prompt_s)])
    order = np.argsort(at, kind="stable")
    at, first = np.unique(at[order], return_index=True)
    base = np.minimum.accumulate(below[order][::-1])[::-1][first]

    batches = np.array(list(curves))
    attention = [np.maximum(_line(CONTEXT.points, *curve) - _line(b, at, base), 0.0) for b, curve in curves.items()]
    by_batch = np.vstack([np.zeros(CONTEXT.points.size), *attention])
    decode_s = np.stack([_line(DECODES.points, np.append(0.0, batches), column) for column in by_batch.T], axis=1)
    prompt = _increasing_line(PAIRS.points, pairs, np.maximum(prompt_s - _line(rows, at, base), 0.0))
    prompt_table = np.broadcast_to(prompt, (PROMPTS.points.size, prompt.size))
    return GridStepCosts.make(_line(TOKENS.points, at, base), np.zeros(OUTPUTS.points.size), decode_s, prompt_table, 0.0)


def _decode_curve(rows: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return contexts and seconds of one batch size, 0 tokens of context first: by the slope of the first two, at least half."""
    rows = rows.sort_values("context")
    context, seconds = rows.context.to_numpy(dtype=np.float64), rows.latency_ms.to_numpy() * 1e-3
    slope = max((seconds[1] - seconds[0]) / (context[1] - context[0]), 0.0) if len(rows) > 1 else 0.0
    return np.append(0.0, context), np.append(max(seconds[0] - slope * context[0], seconds[0] / 2), seconds)


def _without_pairs(rows: Floats, pairs: Floats, seconds: Floats) -> Floats:
    """Return how long steps of prompts take without attention, at least a tenth."""
    parts, _ = nnls(np.stack([np.ones_like(rows), rows, pairs], axis=1) / seconds[:, None], np.ones_like(seconds))
    return np.maximum(seconds - parts[2] * pairs, seconds / 10)


def _line(x: Floats | float, at: Floats, values: Floats) -> Floats:
    """Interpolate linearly: the first value before the first point, and the last slope after the last, if it rises."""
    slope = max((values[-1] - values[-2]) / (at[-1] - at[-2]), 0.0) if len(at) > 1 else 0.0
    return np.asarray(np.interp(x, at, values) + slope * np.maximum(x - at[-1], 0.0))


def _increasing_line(x: Floats, at: Floats, values: Floats) -> Floats:
    order = np.argsort(at, kind="stable")
    nearest = isotonic_regression(values[order]).x
    at, first, counts = np.unique(at[order], return_index=True, return_counts=True)
    return _line(x, at, np.add.reduceat(nearest, first) / counts)


def _read(path: Path) -> pd.DataFrame:
    """Return the rows as numbers; raises `InputError`."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skipinitialspace=True)
    except OSError as error:
        raise InputError(f"cannot read the measured steps {path}: {error.strerror or error}") from None
    except (ValueError, pd.errors.ParserError) as error:
        raise InputError(f"{path} is no table of measured steps (CSV): {error}") from None
    if missing := [name for name in COLUMNS if name not in table.columns]:
        expected = "; ".join(f"{name} ({meaning})" for name, meaning in COLUMNS.items())
        raise InputError(f"{path} lacks the columns {', '.join(missing)}: measured steps need {expected}")
    steps = pd.DataFrame({"kind": table["kind"].str.strip()})
    _refuse(path, table, "kind", ~steps.kind.isin(_KINDS), "decode or prefill")
    decoding = steps.kind == "decode"
    for name, least in (("batch", 1), ("tokens", 1), ("context", 0)):
        numbers = pd.to_numeric(table[name], errors="coerce")
        _refuse(path, table, name, ~(numbers >= least) | (numbers % 1 != 0), f"a whole number of {least} or more")
        steps[name] = numbers.astype("int64")
    _refuse(path, table, "tokens", decoding & (steps.tokens != 1), "1: a decoding request gets one token")
    _refuse(path, table, "context", decoding & (steps.context < 1), "1 or more: a decoding request attends to its new token")
    latency: Any = pd.to_numeric(table["latency_ms"], errors="coerce")
    _refuse(path, table, "latency_ms", ~((latency > 0) & (latency < np.inf)), "a positive number of milliseconds")
    steps["latency_ms"] = latency.astype("float64")
    for kind, needed, what in (("decode", 1, "a step"), ("prefill", 2, "steps of different numbers of tokens")):
        rows = steps[steps.kind == kind]
        if (rows.batch * rows.tokens).nunique() < needed:
            raise InputError(f"{path} has {len(rows)} measured steps of kind {kind}: give {what} of that kind, so that others can be told")
    return steps


def _refuse(path: Path, table: pd.DataFrame, column: str, wrong: Any, expected: str) -> None:
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        seen = shorten(table[column].tolist()[row], 40)
        raise InputError(f"{path} row {row + 1} (line {row + 2}), column {column}: got {seen}, expected {expected}")
