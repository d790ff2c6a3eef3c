"""Validating step latencies: files that are recognised, statistics of errors, and how bad rows are refused."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from designgym.core.errors import InputError
from designgym.core.validation import TableComparison
from designgym.envs.serving_step_validation import STEP_COLUMNS
from designgym.envs.serving_validation import ServingValidator
from designgym.simulators.serving.costs import step_costs_for, step_features, step_seconds_by

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle" / "llm" / "aic_vllm_step_latency.parquet"
ENGINE = ("h100_sxm", "meta-llama/Meta-Llama-3.1-8B", 2, "fp8", "bfloat16")
CHUNK: dict[str, Any] = {"decodes": 64, "context": 1152, "prompts": 1, "prompt_tokens": 512}
STEPS: list[tuple[str, int, int, int, list[dict[str, Any]]]] = [  # kind, a, b, prefix, and the steps whose average it is
    ("decode", 32, 777, 0, [{"decodes": 32, "context": 777}]),
    ("prefill", 1, 300, 0, [{"prompts": 1, "prompt_tokens": 300}]),
    ("prefill_prefix", 1, 900, 600, [{"prompts": 1, "prompt_tokens": 300, "past": 600}]),
    ("mixed", 2048, 8, 0, [{"decodes": 8, "context": 1152, "prompts": 2, "prompt_tokens": 1024}]),
    ("mixed", 512, 64, 0, [CHUNK | {"past": 0, "completed": 0}, CHUNK | {"past": 512, "completed": 1}]),
]  # fmt: skip


def table() -> Any:
    """Return rows that our own step costs give."""
    costs = step_costs_for(ENGINE[1], "h100", tensor_parallel=2, quantization="fp8")
    rows = []
    for kind, a, b, prefix, steps in STEPS:
        seconds = [step_seconds_by(costs, step_features(**step))[0] for step in steps]
        rows.append((*ENGINE, kind, a, b, prefix, 1e3 * sum(seconds) / len(seconds)))
    return pd.DataFrame(rows, columns=list(STEP_COLUMNS))


def compare(frame: Any, path: Path) -> TableComparison:
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    return ServingValidator().compare(path, folders=[], oracle=None)


@pytest.mark.parametrize("name", ["steps.csv", "steps.parquet"])
def test_rows_that_our_costs_give_are_equal_in_either_form(name: str, tmp_path: Path) -> None:
    result = compare(table(), tmp_path / name)
    assert (result.rows, result.equal_rows, list(result.refused)) == (5, 5, [])
    assert {column.column for column in result.columns} >= {
        "all, median of 5",
        "mixed, p90 of 2",
        "h100_sxm Meta-Llama-3.1-8B decode, p90 of 1",
    }
    assert max(column.max_rel_error for column in result.columns) < 1e-9
    assert result.ours["latency_ms"] == pytest.approx(list(table().latency_ms))
    if name.endswith("parquet"):
        assert result.lines is not None and result.lines[0].endswith(",latency_ms,ours_latency_ms") and len(result.lines) == 6


def test_rows_that_are_off_are_found(tmp_path: Path) -> None:
    frame = table()
    frame.loc[0, "latency_ms"] *= 1.25
    frame.loc[3:, "latency_ms"] *= 0.95
    result = compare(frame, tmp_path / "steps.csv")
    columns = {column.column: column for column in result.columns}
    assert result.equal_rows == 4
    decode = columns["decode, median of 1"]
    assert decode.equal_rows == 0 and decode.max_rel_error == pytest.approx(0.2)
    assert decode.worst_row == "h100_sxm Meta-Llama-3.1-8B 2 fp8 bfloat16 decode 32 777 0: 0.2"
    assert columns["mixed, median of 2"].equal_rows == 0 and columns["mixed, p90 of 2"].equal_rows == 1
    assert columns["prefill, median of 1"].equal_rows == 1


def test_engines_without_step_costs_are_refused_and_the_others_compared(tmp_path: Path) -> None:
    other = table().assign(system="mi300x")
    frame = pd.concat([table(), other, table().assign(system="a100_sxm", kv_dtype="fp8"), table().assign(gemm_dtype="int8")])
    result = compare(frame, tmp_path / "steps.csv")
    assert (result.rows, result.equal_rows, len(result.refused)) == (20, 5, 3)
    text = "\n".join(result.refused)
    assert "row 6 and 4 others (mi300x" in text and "unknown GPU 'mi300x'" in text
    assert "was not measured on a100_sxm" in text and "format 'int8' is not known" in text
    assert result.ours["latency_ms"][5] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latency_ms": "fast"}, "row 2, column latency_ms: got 'fast', expected a positive number"),
        ({"a": "1.5"}, "row 2, column a: got '1.5', expected a whole number of 1 or more"),
        ({"tp": "0"}, "row 2, column tp: got '0', expected a whole number of 1 or more"),
        ({"kind": "verify"}, "row 2, column kind: got 'verify', expected one of decode, prefill"),
        ({"prefix": "300"}, "row 2, column prefix: got 300, expected fewer tokens than b"),
    ],
)
def test_rows_that_are_no_steps_are_refused(change: dict[str, str], message: str, tmp_path: Path) -> None:
    frame: Any = table().astype(str)
    for name, value in change.items():
        frame.loc[1, name] = value
    with pytest.raises(InputError, match=message):
        compare(frame, tmp_path / "steps.csv")


def test_tables_that_lack_something_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lacks the columns prefix, latency_ms"):
        compare(table().drop(columns=["prefix", "latency_ms"]), tmp_path / "steps.csv")
    with pytest.raises(InputError, match="has no row to compare"):
        compare(table()[:0], tmp_path / "steps.parquet")
    (tmp_path / "broken.parquet").write_text("PAR1")
    with pytest.raises(InputError, match="cannot read the reference table"):
        ServingValidator().compare(tmp_path / "broken.parquet", folders=[], oracle=None)


@pytest.mark.skipif(not ORACLE.is_file(), reason=f"reference outputs are not at {ORACLE}")
def test_public_step_latencies_are_met() -> None:
    result = ServingValidator().compare(ORACLE, folders=[], oracle=None)
    columns = {column.column: column for column in result.columns}
    assert result.rows == 24128 and not result.refused
    assert all(column.equal_rows for column in columns.values())
    assert columns["all, median of 24128"].max_rel_error < 0.01 and columns["all, p90 of 24128"].max_rel_error < 0.05
    assert result.equal_rows > 0.98 * result.rows
