"""A user's own table of measured steps: what it says between and beyond its rows, and how bad tables are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from designgym.core.errors import InputError
from designgym.simulators.serving import LinearStepCosts, RequestTrace, VllmConfig, simulate
from designgym.simulators.serving.costs import GridStepCosts, measured_step_costs, step_costs_for, step_features, step_seconds_by

TRUTH = LinearStepCosts(step_s=8e-3, token_s=2e-5, context_s=3e-8, pair_s=1e-8)
DECODES = [(batch, context) for batch in (1, 8, 32, 128) for context in (64, 1024, 8192)]
PROMPTS = [(tokens, past) for tokens in (32, 256, 1024, 4096) for past in (0, 2048)]


def seconds(costs: Any, **step: Any) -> Any:
    return step_seconds_by(costs, step_features(**step))


def measured(costs: Any, decodes: Any = DECODES, prompts: Any = PROMPTS) -> Any:
    """Return what somebody would measure whose engine has these costs."""
    rows = [("decode", b, 1, c, seconds(costs, decodes=b, context=c)[0] * 1e3) for b, c in decodes]
    rows += [("prefill", 1, n, p, seconds(costs, prompts=1, prompt_tokens=n, past=p)[0] * 1e3) for n, p in prompts]
    return pd.DataFrame(rows, columns=["kind", "batch", "tokens", "context", "latency_ms"])


def read(table: Any, path: Path) -> GridStepCosts:
    table.to_csv(path / "steps.csv", index=False)
    return measured_step_costs(path / "steps.csv")


def test_steps_that_are_sums_are_told_from_few(tmp_path: Path) -> None:
    costs = read(measured(TRUTH), tmp_path)
    rng = np.random.default_rng(3)
    step: dict[str, Any] = {
        "decodes": rng.integers(1, 300, 200),
        "context": rng.integers(2, 20_000, 200),
        "prompts": rng.integers(0, 4, 200),
        "prompt_tokens": rng.integers(1, 3000, 200),
        "past": rng.integers(0, 6000, 200),
    }
    assert_allclose(seconds(costs, **step), seconds(TRUTH, **step), rtol=0.02)


def test_measured_steps_keep_about_their_times(tmp_path: Path) -> None:
    engine = step_costs_for("Meta-Llama-3.1-8B", "h100", tensor_parallel=2)
    table = measured(engine)
    costs = read(table, tmp_path)
    decode, prefill = (table[table.kind == kind] for kind in ("decode", "prefill"))
    ours = seconds(costs, decodes=decode.batch, context=decode.context)
    assert_allclose(ours * 1e3, decode.latency_ms, rtol=0.01)
    ours = seconds(costs, prompts=prefill.batch, prompt_tokens=prefill.tokens, past=prefill.context)
    errors = np.abs(ours * 1e3 / prefill.latency_ms - 1)
    assert np.median(errors) < 0.015 and errors.max() < 0.1  # a chunk and a prompt with as many pairs do not take exactly as long


def test_steps_between_and_mixed_ones_are_near_those_of_a_real_engine(tmp_path: Path) -> None:
    engine = step_costs_for("Meta-Llama-3.1-70B", "a100", tensor_parallel=4)
    decodes = [(b, c) for b in (1, 4, 16, 64, 256) for c in (128, 1024, 4096, 16384)]
    costs = read(measured(engine, decodes, [(n, p) for n in (16, 64, 128, 256, 512, 1024, 2048, 4096, 8192) for p in (0, 1000)]), tmp_path)
    rng = np.random.default_rng(4)
    step: dict[str, Any] = {"decodes": rng.integers(1, 256, 300), "context": rng.integers(128, 9000, 300)}
    for mixed in ({}, {"prompts": 1, "prompt_tokens": rng.integers(16, 2000, 300), "past": rng.integers(0, 1000, 300)}):
        errors = np.abs(seconds(costs, **step, **mixed) / seconds(engine, **step, **mixed) - 1)
        assert np.median(errors) < 0.04 and np.quantile(errors, 0.9) < 0.1


def test_noise_never_makes_more_work_shorter(tmp_path: Path) -> None:
    table = measured(step_costs_for("Qwen3-8B", "l40s"))
    table["latency_ms"] *= np.random.default_rng(5).uniform(0.8, 1.2, len(table))
    costs = read(table, tmp_path)
    work = np.arange(1, 3000)
    for step in ({"decodes": work, "context": 500}, {"decodes": 7, "context": 10 * work}, {"prompts": 1, "prompt_tokens": work}):
        assert (np.diff(seconds(costs, **step)) >= 0).all()
    assert (np.diff(seconds(costs, prompts=1, prompt_tokens=64, past=work)) >= 0).all()


def test_steps_measured_several_times_count_as_their_median(tmp_path: Path) -> None:
    table = measured(TRUTH)
    again = pd.concat([table, table.assign(latency_ms=table.latency_ms * 3), table])
    assert_allclose(read(again, tmp_path).table, read(table, tmp_path).table)


def test_the_smallest_table_is_enough(tmp_path: Path) -> None:
    costs = read(measured(TRUTH, [(4, 100)], [(10, 0), (1000, 0)]), tmp_path)
    run = simulate(VllmConfig(), RequestTrace.make([0.0], [100], [5]), costs)
    assert run.status == "completed" and 0.008 < run.first_token_s[0] < 0.012


@pytest.mark.parametrize(
    ("row", "change", "message"),
    [
        (1, {"kind": "verify"}, r"row 2 \(line 3\), column kind: got 'verify', expected decode or prefill"),
        (0, {"batch": "0"}, r"row 1 \(line 2\), column batch: got '0', expected a whole number of 1 or more"),
        (0, {"batch": "two"}, "column batch: got 'two', expected a whole number"),
        (0, {"context": "1.5"}, "column context: got '1.5', expected a whole number of 0 or more"),
        (0, {"tokens": "3"}, "column tokens: got '3', expected 1: a decoding request gets one token"),
        (0, {"context": "0"}, "column context: got '0', expected 1 or more: a decoding request attends"),
        (5, {"latency_ms": "-1"}, r"row 6 \(line 7\), column latency_ms: got '-1', expected a positive number"),
        (5, {"latency_ms": ""}, "column latency_ms: got '', expected a positive number"),
        (5, {"latency_ms": "inf"}, "column latency_ms: got 'inf', expected a positive number"),
    ],
)
def test_rows_that_are_no_measured_steps_are_refused(row: int, change: dict[str, str], message: str, tmp_path: Path) -> None:
    table = measured(TRUTH).astype(str)
    for name, value in change.items():
        table.loc[row, name] = value
    with pytest.raises(InputError, match=message):
        read(table, tmp_path)


def test_tables_that_lack_something_are_refused(tmp_path: Path) -> None:
    table = measured(TRUTH)
    with pytest.raises(InputError, match=r"lacks the columns batch, context: measured steps need kind \(decode or prefill\)"):
        read(table.drop(columns=["batch", "context"]), tmp_path)
    with pytest.raises(InputError, match="has 0 measured steps of kind decode: give a step of that kind"):
        read(table[table.kind == "prefill"], tmp_path)
    with pytest.raises(InputError, match="has 1 measured steps of kind prefill: give steps of different numbers of tokens"):
        read(table[:13], tmp_path)
    with pytest.raises(InputError, match=r"cannot read the measured steps .*: No such file"):
        measured_step_costs(tmp_path / "none.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "empty.csv").write_text("")
    for name in ("bytes.csv", "empty.csv"):
        with pytest.raises(InputError, match="is no table of measured steps"):
            measured_step_costs(tmp_path / name)
