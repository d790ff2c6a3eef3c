"""Architectures scored on tasks, with a backend that answers some arithmetic right."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import designgym as dg
from designgym.core.errors import InputError
from designgym.core.testing import check_simulator
from designgym.envs import environment
from designgym.simulators.archon import live
from designgym.simulators.archon.calls import Call
from designgym.simulators.archon.live import EndpointArchitectures
from designgym.simulators.archon.recording import export_recording
from designgym.simulators.archon.tasks import TaskSet, generate_tasks
from tests.simulators.archon.backends import Echo

TASKS = generate_tasks("arithmetic", items=24, dev=0.5, difficulty=1, seed=3)
WORKLOAD = dg.Workload("sums", TASKS, digest=TASKS.digest)


def answers(tasks: TaskSet) -> dict[str, str]:
    return {item.question.text: item.reference.split("####")[-1].strip() for item in (*tasks.dev, *tasks.test)}


def skilled(call: Call) -> str:
    """A model that is right in two of three samples, and a judge that always finds the first answer best."""
    known = answers(TASKS)
    for text, right in known.items():
        if call.messages[-1].content == text:
            return f"#### {right}" if call.sample % 3 else f"#### {int(right) + 1 + call.sample}"
    return "[1]"


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[Echo]:
    echo = Echo(skilled, latency_s=lambda call: 0.0)
    monkeypatch.setattr(live, "OpenAIEndpoint", lambda *args, **options: echo)
    yield echo


def simulator(tmp_path: Path, **options: Any) -> EndpointArchitectures:
    return EndpointArchitectures(**{"url": "http://127.0.0.1:1/v1", "models": "m", "calls": str(tmp_path / "calls.db"), **options})


def vote(space: dg.DesignSpace, samples: int) -> dg.Design:
    source = {**space.default()["sources"][0], "amount": samples}
    stage = {"critic": False, "keep": 0, "check": "majority", "judge": "m", "fusers": 0, "fuser": "m"}
    return space.validate({"sources": [source], "stages": [stage]})


def test_voting_is_worth_what_it_gains_on_one_call(tmp_path: Path, backend: Echo) -> None:
    ours = simulator(tmp_path)
    five, one = ours.evaluate([vote(ours.space, 5), vote(ours.space, 1)], WORKLOAD)
    assert (five["score_pct"], five["gain_pct"], five["calls"], five["queries"]) == (100.0, 100.0, 5.0, 12.0)
    assert (one["score_pct"], one["gain_pct"], one["calls"]) == (0.0, 0.0, 1.0)
    assert len(backend.calls) == 5 * 12  # one call is the first of the five


def test_designs_share_their_calls_and_later_searches_find_them(tmp_path: Path, backend: Echo) -> None:
    ours = simulator(tmp_path)
    first = ours.evaluate([vote(ours.space, n) for n in (3, 5, 8)], WORKLOAD)
    assert len(backend.calls) == 8 * 12
    assert simulator(tmp_path).evaluate([vote(ours.space, n) for n in (3, 5, 8)], WORKLOAD) == first
    assert len(backend.calls) == 8 * 12
    assert ours.evaluate([vote(ours.space, 3)], WORKLOAD, seed=1) and len(backend.calls) == 11 * 12  # another seed, other answers


def test_a_design_that_is_clearly_worse_is_stopped(tmp_path: Path, backend: Echo) -> None:
    tasks = generate_tasks("arithmetic", items=80, dev=0.5, difficulty=1, seed=3)
    known = answers(tasks)
    backend.text = lambda call: known[call.messages[-1].content] if call.decoding.temperature == 0.7 else "no idea"
    ours, whole = simulator(tmp_path), simulator(tmp_path, early=False)
    cold = ours.space.validate({**vote(ours.space, 1), "sources": [{**ours.space.default()["sources"][0], "temperature": 0.0}]})
    workload = dg.Workload("sums", tasks, digest=tasks.digest)
    (early,) = ours.evaluate([cold], workload)
    (late,) = whole.evaluate([cold], workload)
    assert early["score_pct"] == late["score_pct"] == 0.0 and early["gain_pct"] == -100.0
    assert early["queries"] < late["queries"] == 40


def test_the_budget_is_never_exceeded_and_the_search_ends_with_the_best_so_far(tmp_path: Path, backend: Echo) -> None:
    study = dg.Study(
        "paid", env="designgym/ArchonEndpoint-v0", workload="arithmetic:items=10,difficulty=1", searchers=["random"], budget=200,
        batch=4, store=tmp_path / "s.db",
        options={"url": "http://127.0.0.1:1/v1", "models": "m", "calls": str(tmp_path / "calls.db"), "budget_calls": 60},
    )  # fmt: skip
    result = study.run(backend="local")
    assert len(backend.calls) <= 60
    assert result.runs[0].status == "finished" and "the budget of 60 calls has" in result.runs[0].stop_reason
    assert result.best() is not None and len(result.frame) < 60


def test_a_recording_gives_the_same_results_byte_for_byte_and_asks_nobody(tmp_path: Path, backend: Echo) -> None:
    ours = simulator(tmp_path)
    designs = [*ours.space.sample(np.random.default_rng(0), 6), vote(ours.space, 5)]
    first = ours.evaluate(designs, WORKLOAD)
    asked = len(backend.calls)
    export_recording(tmp_path / "calls.db", tmp_path / "recording.jsonl")
    again = [simulator(tmp_path, recorded=True, url="", calls=str(tmp_path / name)) for name in ("recording.jsonl", "calls.db")]
    results = [replay.evaluate(designs, WORKLOAD) for replay in again]
    assert json.dumps([dict(m.values) for m in first]) == json.dumps([dict(m.values) for m in results[0]])
    assert results[0] == results[1] and len(backend.calls) == asked
    assert again[0].confirm(ours.architecture(designs[0]), TASKS).account.calls_failed  # the test queries were never asked


def test_a_design_that_may_need_more_calls_than_allowed_costs_none(tmp_path: Path, backend: Echo) -> None:
    ours = simulator(tmp_path, most_calls=4)
    five, three = ours.evaluate([vote(ours.space, 5), vote(ours.space, 3)], WORKLOAD)
    assert five.status == "infeasible" and five.reasons == ("it may take 5 calls a query, more than most_calls=4",)
    assert three.ok and len(backend.calls) == 3 * 12


def test_an_endpoint_that_fails_is_a_status(tmp_path: Path, backend: Echo) -> None:
    backend.fails = lambda call: True
    ours = simulator(tmp_path)
    (found,) = ours.evaluate([vote(ours.space, 3)], WORKLOAD)
    assert found.status == "failed" and found.error == "none of 36 calls got an answer: the endpoint answered with status 500"
    backend.fails = lambda call: call.sample == 0
    (found,) = ours.evaluate([vote(ours.space, 3)], WORKLOAD)
    assert found.ok and found["failed_calls"] == 1.0 and found["score_pct"] == 100.0


def test_search_and_confirmation_see_different_queries(tmp_path: Path, backend: Echo) -> None:
    ours = simulator(tmp_path)
    ours.evaluate([vote(ours.space, 3)], WORKLOAD)
    asked = {call.messages[-1].content for call in backend.calls}
    assert asked <= {item.question.text for item in TASKS.dev}
    score = ours.confirm(ours.architecture(vote(ours.space, 3)), TASKS)
    assert [outcome.item for outcome in score.outcomes] == list(TASKS.test) and score.mean == 1.0


def test_it_goes_through_the_kit(tmp_path: Path, backend: Echo) -> None:
    small = generate_tasks("arithmetic", items=6, dev=0.5, difficulty=1, seed=3)
    check_simulator(simulator(tmp_path, models="m,n"), dg.Workload("sums", small, digest=small.digest), samples=8, twins=4)


def test_the_paper_s_space_on_an_endpoint(tmp_path: Path, backend: Echo) -> None:
    ours = simulator(tmp_path, preset="paper", models="m,n", judge="n")
    design = ours.space.validate({**ours.space.default(), "generators": 2})
    assert re.match(r"generator m .*\| generator n .*\ncritic n", ours.describe(design))
    (found,) = ours.evaluate([design], WORKLOAD, fidelity=0.2)
    assert found.ok and found["queries"] == 3.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "tall"}, "preset is 'tall', expected 'wide' or 'paper'"),
        ({"sources": "oracle"}, r"kinds of sources are \['oracle'\]"),
        ({"budget_usd": -1.0}, "the budget's usd is -1"),
        ({"budget_usd": 5.0}, "unknown price of model 'm'"),
        ({"prices": "nowhere.json"}, "price table 'nowhere.json' cannot be read"),
    ],
)
def test_options_that_cannot_be(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        simulator(tmp_path, **options)


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESIGNGYM_ENDPOINT", raising=False)
    assert environment("designgym/ArchonEndpoint-v0").installed()[1].startswith("set DESIGNGYM_ENDPOINT to the URL")
    ours = simulator(tmp_path)
    with pytest.raises(InputError, match="workload 'x' holds int, expected tasks"):
        ours.evaluate([ours.space.default()], dg.Workload("x", 3))
