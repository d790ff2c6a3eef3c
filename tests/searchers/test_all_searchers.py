"""Laws that every registered searcher keeps."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import designgym as dg
from designgym.core import registry
from designgym.core.errors import InputError
from designgym.searchers import make_searcher

NAMES = [name for name in registry.searchers() if name not in ("regularized_evolution", "confirm")]  # an alias; needs a study
SPACE_NAMES = ["discrete", "ruled", "mixed", "structured"]
OBJECTIVE_NAMES = ["single", "constrained", "pareto"]
# fitting takes its time: each objective once, each space once
BOTORCH_CASES = {("discrete", "single"), ("mixed", "single"), ("ruled", "constrained"), ("structured", "pareto")}
CASES = [
    (name, space, objective)
    for name in NAMES
    for space in SPACE_NAMES
    for objective in OBJECTIVE_NAMES
    if not (name == "cmaes" and objective == "pareto") and not (name == "botorch" and (space, objective) not in BOTORCH_CASES)
]


def make(world: dict[str, Any], name: str, space: dg.DesignSpace, objective: str, seed: int) -> Any:
    return make_searcher(name, space, world["OBJECTIVES"][objective], seed=seed, **world["QUICK"].get(name, {}))


def messy_round(world: dict[str, Any], searcher: Any, space: dg.DesignSpace, late: list[dg.Design], salt: int) -> list[dg.Design]:
    """Ask, then tell out of order: one design late, one twice, one never asked, some failed."""
    designs: list[dg.Design] = searcher.ask(3)
    foreign = space.sample(np.random.default_rng(salt))
    waiting = [*late, *designs, *foreign]
    late[:] = waiting[1:2]
    now = [design for design in reversed(waiting) if design not in late]
    searcher.tell(world["told"](space, [*now, *now[:1]]))
    return designs


@pytest.mark.parametrize(("name", "space_name", "objective"), CASES)
def test_proposes_new_legal_designs_and_restores_exactly(world: dict[str, Any], name: str, space_name: str, objective: str) -> None:
    space = world["SPACES"][space_name]
    searcher = make(world, name, space, objective, seed=3)
    late: list[dg.Design] = []
    asked = [design for salt in range(4) for design in messy_round(world, searcher, space, late, salt)]
    saved = json.loads(json.dumps(searcher.state(), allow_nan=False))
    twin = make(world, name, space, objective, seed=99)
    twin.restore(saved)
    assert twin.state() == searcher.state()
    twin_late = list(late)
    for salt in range(10, 13):
        expected = messy_round(world, searcher, space, late, salt)
        assert messy_round(world, twin, space, twin_late, salt) == expected
        asked += expected
    assert json.loads(json.dumps(twin.state())) == json.loads(json.dumps(searcher.state()))
    assert len(asked) == 21
    for design in asked:
        assert space.validate(design.to_dict()) == design
        assert not space.violations(design)
    assert len({space.canonical(design) for design in asked}) == len(asked)


@pytest.mark.parametrize("name", NAMES)
def test_survives_pickling(world: dict[str, Any], name: str) -> None:
    space = world["SPACES"]["ruled"]
    searcher = make(world, name, space, "single", seed=1)
    searcher.tell(world["told"](space, searcher.ask(8)))
    copy = pickle.loads(pickle.dumps(searcher))
    assert copy.ask(3) == searcher.ask(3)


def test_same_seed_same_designs_in_another_process(world: dict[str, Any]) -> None:
    cases = [[name, space, "constrained"] for name in NAMES for space in ("ruled", "structured")]
    done = subprocess.run(
        [sys.executable, world["file"]], input=json.dumps(cases), capture_output=True, text=True, timeout=300, check=False,
        env=os.environ | {"PYTHONHASHSEED": "123", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for case, theirs in zip(cases, json.loads(done.stdout), strict=True):
        assert theirs == world["trace"](*case), case


@pytest.mark.parametrize("name", [name for name in NAMES if name != "grid"])
def test_seeds_differ(world: dict[str, Any], name: str) -> None:
    if name == "optuna":
        pytest.skip("same code as nsgaii")
    runs = [world["trace"](name, "discrete", "single", rounds=2, seed=seed) for seed in (1, 2)]
    assert runs[0] != runs[1]


@pytest.mark.parametrize("name", NAMES)
def test_tiny_space_is_asked_once_and_ends(world: dict[str, Any], name: str) -> None:
    space = dg.DesignSpace(
        a=dg.Integer(0, 2), b=dg.Integer(0, 2), c=dg.Categorical("x", "y"), d=dg.Integer(1, 2),
        conditions=[dg.Condition("d", "c == 'y'")], constraints=[dg.Constraint("a + b < 4", "too large")],
        symmetries=[dg.Interchangeable("a", "b")],
    )  # fmt: skip
    searcher = make(world, name, space, "single", seed=0)

    def batches() -> Iterator[list[dg.Design]]:
        for _ in range(40):
            designs = searcher.ask(4)
            searcher.tell(world["told"](space, designs))
            yield designs
            if not designs:
                return
        raise AssertionError("does not end")

    asked = [design for batch in batches() for design in batch]
    every = [
        space.validate({"a": a, "b": b, "c": c, "d": d}) for a in range(3) for b in range(3) for c in "xy" for d in (1, 2) if a + b < 4
    ]
    assert len(asked) == len({space.canonical(design) for design in every}) == 15
    assert {space.canonical(design) for design in asked} == {space.canonical(design) for design in every}
    assert searcher.ask(1) == []


@pytest.mark.parametrize("name", NAMES)
def test_all_results_equal_or_failed(world: dict[str, Any], name: str) -> None:
    space = world["SPACES"]["discrete"]
    for metrics in (dg.Metrics({"cost": 1.0, "other": 1.0}), dg.Metrics.failed("always")):
        searcher = make(world, name, space, "constrained", seed=5)
        for _ in range(4):
            trials = world["told"](space, searcher.ask(4))
            searcher.tell([type(trial)(trial.design, metrics, trial.provenance, trial.keys) for trial in trials])
        assert len(searcher.ask(2)) == 2


@pytest.mark.parametrize("name", NAMES)
def test_refuses_bad_options_and_states(world: dict[str, Any], name: str) -> None:
    space, objective = world["SPACES"]["discrete"], world["OBJECTIVES"]["single"]
    with pytest.raises(InputError, match=r"unknown option of searcher .*no_such_option"):
        make_searcher(name, space, objective, seed=0, no_such_option=1)
    with pytest.raises(InputError, match="seed"):
        make_searcher(name, space, objective, seed=-1)
    searcher = make_searcher(name, space, objective, seed=0)
    with pytest.raises(InputError, match="state is of"):
        searcher.restore({"searcher": "another"})
    with pytest.raises(InputError, match="ask needs"):
        searcher.ask(-1)
    with pytest.raises(InputError):
        searcher.tell(world["told"](world["SPACES"]["mixed"], world["SPACES"]["mixed"].sample(np.random.default_rng(0))))
