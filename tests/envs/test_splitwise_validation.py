"""Validating the cluster simulation: splitwise-sim's rows, and how bad tables are refused."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from designgym.core.errors import InputError
from designgym.envs.splitwise_validation import SplitwiseValidator
from designgym.studies.cli.validate_command import _write

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle"
ROW = {"config_id": 5, "design": "Splitwise-HA", "model": "llama2-70b", "num_prompt": 1, "num_token": 2, "trace_file": "two.csv"}
# An H100 computes a prompt of 512 tokens in 53.858 ms, and A100s make tokens in T(1) = 42.583 ms; 512 x 2621440 B take 1/160 s.
FIRST, LAST = 0.053858, 0.053858 + 1 / 160 + 2 * 0.042583
RESULTS = {
    "n_requests": 2, "ttft_p50_s": FIRST, "ttft_p99_s": FIRST, "e2e_p90_s": LAST, "tbt_p50_s": (LAST - FIRST) / 3,
    "makespan_s": LAST + 10, "output_tps": 6 / (LAST + 10), "cost_per_hr_units": 4.76 + 2 * 2.21, "power_units": 44 + 2 * 24.8,
    "oom": False, "slo_all_met": True,
}  # fmt: skip


def compare(path: Path) -> Any:
    return SplitwiseValidator().compare(path, folders=[], oracle=None)


def table(folder: Path, **changes: Any) -> Path:
    """Write a table of one row, and the trace it names beside it."""
    pd.DataFrame({"request_id": [0, 1], "arrival_timestamp": [1.0, 11.0], "prompt_size": [512, 512], "token_size": [3, 3]}).to_csv(
        folder / "two.csv", index=False
    )
    path = folder / "rows.csv"
    pd.DataFrame([ROW | {name: round(value, 6) for name, value in RESULTS.items()} | changes]).to_csv(path, index=False)
    return path


@pytest.mark.skipif(not SplitwiseValidator().tables(ORACLE), reason=f"reference outputs are not at {ORACLE}")
def test_every_public_row_is_equal_to_the_printed_digits() -> None:
    [path] = SplitwiseValidator().tables(ORACLE)
    result = SplitwiseValidator().compare(path, folders=[], oracle=ORACLE)
    assert result.equal_rows == result.rows == 18 and len(result.columns) == 26
    assert all(column.rows == column.equal_rows == 18 and column.max_abs_error < 5.001e-7 for column in result.columns)


def test_a_row_by_hand(tmp_path: Path) -> None:
    result = compare(table(tmp_path))
    off = {column.column for column in result.columns if column.equal_rows != 1}
    # Six digits of the inputs above are not enough for all.
    assert result.rows == 1 and off <= {"ttft_p50_s", "ttft_p99_s", "e2e_p90_s", "tbt_p50_s", "makespan_s", "output_tps"}
    assert all(column.max_abs_error < 2e-6 for column in result.columns)


def test_differences_are_found_and_ours_written(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    path = table(tmp_path, slo_all_met=False, n_requests=3, ttft_p50_s="", power_units=93.7)
    result = compare(path)
    columns = {column.column: column for column in result.columns}
    assert result.equal_rows == 0 and columns["ttft_p50_s"].rows == 0
    assert [columns[name].equal_rows for name in ("slo_all_met", "n_requests", "power_units", "oom")] == [0, 0, 0, 1]
    assert columns["power_units"].max_abs_error == pytest.approx(0.1) and columns["power_units"].worst_row == "5 Splitwise-HA"
    _write(out, path, result)
    written = pd.read_csv(out)
    assert written["ours_slo_all_met"].tolist() == [True] and written["ours_power_units"].tolist() == [93.6]
    fixed = tmp_path / "fixed.csv"
    written.rename(columns={name: str(name).removeprefix("ours_") for name in written}).loc[
        :, lambda t: ~t.columns.duplicated(keep="last")
    ].to_csv(fixed, index=False)
    assert compare(fixed).equal_rows == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"design": "Splitwise-HB"}, r"row 1 \(line 2\): .*Splitwise-HB"),
        ({"model": "gpt"}, "unknown model 'gpt', expected bloom-176b or llama2-70b"),
        ({"num_token": 1.5}, "column num_token: got '1.5', expected a whole number of machines"),
        ({"num_token": 0}, "needs machines for prompts and for tokens"),
        ({"num_prompt": ""}, "column num_prompt: got"),
        ({"trace_file": "none.csv"}, "column trace_file: 'none.csv' is in none of .*--workloads DIR"),
        ({"slo_all_met": "maybe"}, "column slo_all_met: got 'maybe', expected True or False"),
        ({"ttft_p50_s": "soon"}, "column ttft_p50_s: got 'soon'"),
        ({"status": "crashed"}, "none has status 'ok'"),
    ],
)
def test_rows_that_cannot_be_simulated_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        compare(table(tmp_path, **changes))


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = table(tmp_path)
    trace = tmp_path / "two.csv"
    for text, message in (
        ("request_id,arrival_timestamp,prompt_size\n0,1.0,5\n", "two.csv' has no column output_tokens .*token_size"),
        ("arrival_timestamp,prompt_size,token_size\n", "has no requests"),
        ("arrival_timestamp,prompt_size,token_size\n2,5,5\n1,5,5\n", "sort the trace by arrival"),
        ("arrival_timestamp,prompt_size,token_size\n1,5.5,5\n", "prompt_tokens of request 0 is .*5.5.*, expected a whole number"),
    ):
        trace.write_text(text)
        with pytest.raises(InputError, match=message):
            compare(path)
    for text, message in (("a,b\n1,2\n", "lacks the columns design, model"), ("", "is empty")):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            compare(path)
    path.write_text(",".join(ROW) + "\n" + ",".join(map(str, ROW.values())) + "\n")
    with pytest.raises(InputError, match="no column to compare"):
        compare(path)
