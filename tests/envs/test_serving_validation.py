"""Validating the serving simulation: recorded schedules and Vidur's rows, and how bad files are refused."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from designgym.core.errors import InputError
from designgym.envs.serving_validation import TABLES, ServingValidator
from designgym.simulators.serving.step_costs import VIDUR_OPS
from designgym.studies.cli.validate_command import _write

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle"
RECORDED = Path(__file__).parents[1] / "simulators" / "serving" / "vllm_0_32_schedules.jsonl.gz"
KEY = "a100_Meta-Llama-3-8B_tp1_aic"
ROW = {
    "config_id": 7, "model": "Meta-Llama-3-8B", "device": "a100", "tp": 1, "scheduler": "sarathi", "batch_cap": 8, "mem_margin": 0.1,
    "attn_table": "aic_vllm_interp", "qps": 2.0, "trace_file": "two.csv", "max_tokens_in_batch": "", "chunk_size": 512.0,
}  # fmt: skip


def compare(path: Path) -> Any:
    return ServingValidator().compare(path, folders=[], oracle=None)


@pytest.mark.skipif(not (ORACLE / "llm" / TABLES[0]).is_file(), reason=f"reference outputs are not at {ORACLE}")
def test_every_public_schedule_and_row_is_equal() -> None:
    tables = ServingValidator().tables(ORACLE)
    assert [path.name for path in tables] == list(TABLES)
    for path, rows, columns in zip(tables[:3], (60, 44, 200), (8, 19, 2), strict=True):
        result = ServingValidator().compare(path, folders=[], oracle=ORACLE)
        assert result.equal_rows == result.rows == rows and len(result.columns) == columns
        assert all(column.equal_rows == column.rows for column in result.columns)
        assert all(column.max_abs_error < 6e-7 for column in result.columns)  # half of the last digit that is printed


def recorded() -> list[dict[str, Any]]:
    with gzip.open(RECORDED) as file:
        return [json.loads(next(file)) for _ in range(2)]


def test_schedules_that_differ_are_found_and_ours_written(tmp_path: Path) -> None:
    cases = recorded()
    good = json.loads(json.dumps(cases))
    steps = cases[1]["steps"]
    batch = next(step for step in steps if len(step[1]) > 1)
    batch[1].reverse()
    batch[3] += 2
    del steps[-1]
    cases[1]["finish"]["0"][1] += 4
    path = tmp_path / "cases.jsonl"
    path.write_text("".join(json.dumps(case) + "\n" for case in cases))
    result = compare(path)
    columns = {column.column: column for column in result.columns}
    assert (result.rows, result.equal_rows) == (2, 1)
    assert columns["batch"].rows - columns["batch"].equal_rows == 2 and columns["batch"].max_abs_error == float("inf")
    assert columns["free_blocks"].rows - columns["free_blocks"].equal_rows == 2
    assert columns["output_tokens"].max_abs_error == 4 and columns["output_tokens"].worst_row == f"seed {cases[1]['seed']}, request 0"
    out = tmp_path / "out.jsonl"
    _write(out, path, result)
    assert [json.loads(line) for line in out.read_text().splitlines()] == good
    assert compare(out).equal_rows == 2


def vidur_files(folder: Path, **changes: Any) -> Path:
    """Write a row with costs by which every operator takes 0.01 ms per layer, and attention nothing."""
    tokens = [8, 16, 64, 4096]
    operators = {"table_key": KEY, "num_tokens": tokens} | dict.fromkeys(VIDUR_OPS, 0.01)
    pd.DataFrame(operators).to_csv(folder / "vidur_pred_ops.csv", index=False)
    batch, context = (values.ravel() for values in np.meshgrid(np.arange(1, 9), np.arange(0, 4097, 64), indexing="ij"))
    decode = {"table_key": KEY, "batch_size": batch, "avg_kv": context, "attn_decode_ms": 0.0}
    pd.DataFrame(decode).to_parquet(folder / "vidur_pred_attn_decode.parquet")
    past, chunk = (values.ravel() for values in np.meshgrid(np.arange(0, 4097, 64), np.arange(1, 513), indexing="ij"))
    prefill = {"table_key": KEY, "past_kv": past, "chunk": chunk, "attn_prefill_ms": 0.0}
    pd.DataFrame(prefill).to_parquet(folder / "vidur_pred_attn_prefill.parquet")
    trace = {"request_id": [0, 1], "arrival_unit_rate": [0.0, 20.0], "num_prefill_tokens": [600, 100], "num_decode_tokens": [3, 1]}
    pd.DataFrame(trace).to_csv(folder / "two.csv", index=False)
    # A step is 9 operators (one GPU has no all-reduce) x 0.01 ms x 32 layers.
    step = 9 * 0.01 * 32 / 1000
    results = {"num_kv_blocks": 30208, "iterations": 5, "ttft_p99_s": round(step + 0.99 * step, 6), "makespan_s": round(10 + step, 6)}
    path = folder / "rows.csv"
    pd.DataFrame([ROW | results | changes]).to_csv(path, index=False)
    return path


def test_a_row_of_vidur_by_hand(tmp_path: Path) -> None:
    result = compare(vidur_files(tmp_path))
    assert result.rows == result.equal_rows == 1
    assert result.ours["makespan_s"] == [pytest.approx(10.00288)] and result.ours["iterations"] == [5.0]
    wrong = compare(vidur_files(tmp_path, makespan_s=10.00289, iterations=""))
    columns = {column.column: column for column in wrong.columns}
    assert wrong.equal_rows == 0 and (columns["makespan_s"].equal_rows, columns["iterations"].rows) == (0, 0)
    assert columns["makespan_s"].worst_row == "7 sarathi"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "GPT"}, r"row 1 \(line 2\): unknown model 'GPT'"),
        ({"scheduler": "fifo"}, "unknown scheduler 'fifo'"),
        ({"batch_cap": 1.5}, "column batch_cap: got '1.5', expected a positive whole number"),
        ({"chunk_size": ""}, "column chunk_size: it is empty"),
        ({"qps": 0}, "expected a share of the memory and a positive rate"),
        ({"attn_table": "mine"}, "attn_table is 'mine', expected aic_vllm_interp or vidur_measured_2024"),
        ({"device": "h100"}, "has no rows of 'h100_Meta-Llama-3-8B_tp1_aic'"),
        ({"trace_file": "none.csv"}, "'none.csv' is in none of .*--workloads DIR"),
        ({"mem_margin": 0.9}, "leaves no memory for requests"),
        ({"makespan_s": "soon"}, "column makespan_s: got 'soon'"),
    ],
)
def test_rows_that_cannot_be_simulated_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        compare(vidur_files(tmp_path, **changes))


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    for text, message in (
        ("a,b\n1,2\n", "is not a kind of reference that is known here"),
        ("", "is empty"),
        ("scheduler\nvllm\n", "lacks the columns model"),
        ("{\n", "not JSON"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            compare(path)
    with pytest.raises(InputError, match="cannot read"):
        compare(tmp_path / "none.csv")


LEGAL = {
    "max_num_seqs": 8, "max_num_batched_tokens": 512, "enable_chunked_prefill": True, "max_model_len": 2048, "gpu_memory_utilization": 0.9,
    "tensor_parallel_size": 2, "async_scheduling": True, "spec_ngram_tokens": 0, "long_prefill_token_threshold": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, ""),
        ({"async_scheduling": None}, ""),
        ({"max_num_seqs": 1024}, "max_num_batched_tokens (512) must be greater than or equal to max_num_seqs (1024)."),
        ({"enable_chunked_prefill": False}, "max_num_batched_tokens (512) is smaller than max_model_len (2048). This effectively limits"),
        ({"tensor_parallel_size": 3}, "Total number of attention heads (8) must be divisible by tensor parallel size (3)."),
        ({"spec_ngram_tokens": 2}, "Currently, async scheduling is only supported with EAGLE/MTP/Draft Model"),
        ({"spec_ngram_tokens": 2, "tensor_parallel_size": 3, "max_num_seqs": 1024}, "Total number of attention heads (8)"),
        ({"tensor_parallel_size": 3, "max_num_seqs": 1024}, "max_num_batched_tokens (512) must be greater than or equal to max_num_seqs"),
    ],
)
def test_verdicts_of_vllm_and_its_first_complaint(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    path = tmp_path / "verdicts.csv"
    pd.DataFrame([{**LEGAL, **change, "legal": int(not reason), "reason": reason}]).to_csv(path, index=False)
    result = compare(path)
    assert result.equal_rows == 1 and result.ours["legal"] == [float(not reason)]
    pd.DataFrame([{**LEGAL, **change, "legal": int(bool(reason)), "reason": "something else"}]).to_csv(path, index=False)
    assert compare(path).equal_rows == 0


def test_verdicts_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.csv"
    pd.DataFrame([{**LEGAL, "enable_chunked_prefill": "maybe", "legal": 1}]).to_csv(path, index=False)
    with pytest.raises(InputError, match=r"row 1 \(line 2\), column enable_chunked_prefill: got 'maybe', expected True, False or nothing"):
        compare(path)
    pd.DataFrame([{"legal": 1}]).to_csv(path, index=False)
    with pytest.raises(InputError, match="lacks the columns max_num_seqs, max_num_batched_tokens"):
        compare(path)
