"""Generated requests: lengths as in the traces, arrivals at their rate, prefixes shared where they should be, the same for a seed."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from designgym.core.errors import InputError
from designgym.simulators.serving.workloads import CATALOGUE, LengthDistribution, RequestMix, find_requests
from designgym.simulators.serving.workloads.arrivals import arrivals_s
from designgym.simulators.serving.workloads.catalogue import azure_lengths

ORACLE = Path(__file__).resolve().parents[5] / "shared" / "oracle" / "llm"
QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99]


@pytest.mark.skipif(not ORACLE.is_dir(), reason="the traces are not here (../shared/oracle)")
@pytest.mark.parametrize("kind", ["conv", "code"])
def test_lengths_are_those_of_the_azure_traces(kind: str) -> None:
    trace = pd.read_csv(ORACLE / f"azure2023_{kind}.csv")
    real = trace["num_prefill_tokens"].to_numpy(), trace["num_decode_tokens"].to_numpy()
    drawn = azure_lengths(kind).draw(200_000, np.random.default_rng(0))
    for measured, made in zip((*real, real[0] + real[1]), (*drawn, drawn[0] + drawn[1]), strict=True):
        assert_allclose(np.quantile(made, QUANTILES), np.quantile(measured, QUANTILES), rtol=0.06, atol=1)
        assert made.mean() == pytest.approx(measured.mean(), rel=0.04)
    for low, high in ((0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1)):  # outputs by how long the prompt is
        means = [o[(p >= np.quantile(p, low)) & (p <= np.quantile(p, high))].mean() for p, o in (real, drawn)]
        assert means[1] == pytest.approx(means[0], rel=0.1)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(-0.9, 0.9))
def test_a_fit_keeps_how_lengths_go_together(seed: int, correlation: float) -> None:
    rng = np.random.default_rng(seed)
    both = rng.multivariate_normal([6, 5], [[1, correlation], [correlation, 1]], 4000)
    prompts, outputs = np.exp(both).T.clip(1)
    drawn = LengthDistribution.fit(prompts, outputs).draw(20_000, rng)
    wanted, found = (pd.DataFrame(np.transpose(pair)).corr("spearman").iloc[0, 1] for pair in ((prompts, outputs), drawn))
    assert found == pytest.approx(wanted, abs=0.06)


def test_lengths_that_are_none_are_refused() -> None:
    with pytest.raises(InputError, match="two columns of one number per request"):
        LengthDistribution.fit([1, 2], [1])
    with pytest.raises(InputError, match="output_tokens must be 1 or more, got \\[0"):
        LengthDistribution.fit([1, 2], [1, 0])


@pytest.mark.parametrize("cv", [0.0, 1.0, 3.0])
def test_gaps_have_the_rate_and_the_burstiness(cv: float) -> None:
    gaps = np.diff(arrivals_s(100_000, 5.0, np.random.default_rng(1), burstiness_cv=cv))
    assert gaps.mean() == pytest.approx(0.2, rel=0.05)
    assert gaps.std() / gaps.mean() == pytest.approx(cv, rel=0.05, abs=1e-6)


@pytest.mark.parametrize("name", [name for name in CATALOGUE if name != "infilling-like"])  # it has no rate
def test_a_seed_gives_the_same_requests_and_the_rate_is_kept(name: str) -> None:
    one, same, other = (CATALOGUE[name](RequestMix(requests=400, rate_rps=3.0, seed=seed)) for seed in (1, 1, 2))
    assert len(one) == 400
    for column in ("arrival_s", "prompt_tokens", "output_tokens"):
        assert np.array_equal(getattr(one, column), getattr(same, column))
    assert not np.array_equal(one.prompt_tokens, other.prompt_tokens)
    assert 400 / one.arrival_s[-1] == pytest.approx(3.0, rel=0.2)
    closed = CATALOGUE[name](RequestMix(requests=50, users=4))
    assert closed.users == 4 and not closed.arrival_s.any()


@pytest.mark.parametrize("name", ["sharegpt-like", "long-context"])
def test_prefixes_are_shared(name: str) -> None:
    trace = CATALOGUE[name](RequestMix(requests=300))
    keys, first, _ = trace.block_keys(16)
    assert trace.token_ids is not None
    of_prompts = np.concatenate([keys[f : f + p // 16] for f, p in zip(first, trace.prompt_tokens, strict=True)])
    assert len(np.unique(of_prompts)) < 0.6 * len(of_prompts)
    assert find_requests("azure-conv:requests=20").token_ids is None


def test_a_turn_continues_the_one_before() -> None:
    trace = CATALOGUE["sharegpt-like"](RequestMix(requests=200))
    assert trace.token_ids is not None
    conversations: dict[int, list[int]] = {}
    for r, ids in enumerate(trace.token_ids):
        conversations.setdefault(int(ids[0]) >> 20, []).append(r)
    later = [(a, b) for turns in conversations.values() for a, b in itertools.pairwise(turns)]
    assert len(later) > 50
    for a, b in later:
        assert trace.prompt_tokens[b] > trace.prompt_tokens[a] + trace.output_tokens[a]
        assert trace.arrival_s[b] > trace.arrival_s[a]
