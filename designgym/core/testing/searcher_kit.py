"""`check_searcher`: the contract of a searcher, on small synthetic problems."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from designgym.core.design import Design
from designgym.core.errors import InputError
from designgym.core.metrics import Metrics
from designgym.core.objectives import Objective, minimize
from designgym.core.parameters import Categorical, Float, Integer, PowerOfTwo
from designgym.core.protocols import Searcher
from designgym.core.rules import Condition, Constraint
from designgym.core.space import DesignSpace
from designgym.core.testing.findings import Findings
from designgym.core.trial import Keys, Provenance, Trial

MakeSearcher = Callable[..., Searcher]


def synthetic_space() -> DesignSpace:
    """Return a space with every scalar kind, a condition and a constraint."""
    return DesignSpace(
        a=Integer(0, 7), b=Categorical("x", "y", "z"), c=PowerOfTwo(1, 16), d=Float(0.0, 1.0), e=Integer(1, 4),
        conditions=[Condition("e", "b != 'x'")], constraints=[Constraint("a * c <= 64", "more than 64 units do not fit")],
    )  # fmt: skip


def tiny_space() -> DesignSpace:
    """Return a space of four legal designs, to see what a searcher does when there is nothing left."""
    return DesignSpace(a=Integer(0, 2), b=Categorical("x", "y"), constraints=[Constraint("not (a == 2)", "two is one too many")])


def check_searcher(
    make: MakeSearcher,
    *,
    objective: Objective | None = None,
    options: Mapping[str, Any] | None = None,
    space: DesignSpace | None = None,
    rounds: int = 8,
    batch: int = 3,
    seed: int = 0,
) -> None:
    """Check legality, determinism, exact restoring, odd tells and exhaustion.

    Args:
        make: The class, or anything called as ``make(space, objective, *, seed, **options)``.
        objective: Over the metrics ``cost`` and ``area``; minimises ``cost`` unless given.
        options: Options of the searcher.
        space: Where it searches; one with every scalar kind, a condition and a constraint unless given.
        rounds: Ask-and-tell rounds of each check; more than the searcher needs before it stops drawing at random.
        batch: Designs asked per round.
        seed: Seed of the searcher.

    Raises:
        ConformanceError: Listing everything that is broken.
    """
    found = Findings(f"searcher {getattr(make, '__name__', make)!r}")
    case = _Case(make, objective or minimize("cost"), dict(options or {}), space or synthetic_space(), seed, found)
    with found.no_exception("searching"):
        _check_search(case, rounds, batch)
    with found.no_exception("restoring"):
        _check_restore(case, rounds, batch)
    with found.no_exception("odd tells"):
        _check_odd_tells(case, rounds, batch)
    with found.no_exception("searching through a small space"):
        _check_exhaustion(case)
    _check_options(case)
    found.finish()


class _Case:
    """One searcher under test."""

    def __init__(
        self, make: MakeSearcher, objective: Objective, options: dict[str, Any], space: DesignSpace, seed: int, found: Findings
    ) -> None:
        self.make, self.objective, self.options, self.space, self.seed, self.found = make, objective, options, space, seed, found

    def searcher(self, space: DesignSpace | None = None, seed: int | None = None) -> Searcher:
        return self.make(space or self.space, self.objective, seed=self.seed if seed is None else seed, **self.options)

    def ask(self, searcher: Searcher, n: int, space: DesignSpace | None = None) -> list[Design]:
        space = space or self.space
        designs = searcher.ask(n)
        if not self.found.check(
            isinstance(designs, list) and len(designs) <= n, "ask(n) must return a list of up to n designs", repr(designs)
        ):
            return []
        for design in designs:
            if not self.found.check(isinstance(design, Design), "ask must return Design objects", repr(design)):
                continue
            try:
                self.found.check(space.validate(design) == design, "asked designs must be valid", design)
            except InputError as error:
                self.found.check(False, "asked designs must be valid", error)
            self.found.check(not space.violations(design), "asked designs must be legal", f"{design!r} {space.violations(design)}")
        return designs


def synthetic_trial(
    space: DesignSpace, design: Design, metrics: Metrics | None = None, *, duplicate: bool = False, number: int = -1
) -> Trial:
    """Return a trial of a smooth made-up function of the encoded design, with the metrics ``cost`` and ``area``."""
    canonical = space.canonical(design)
    if metrics is None:
        x = space.encode([canonical])[0]
        weights = 1 + np.arange(len(x)) / 3
        metrics = Metrics({"cost": float(1 + (weights * (x - 0.4) ** 2).sum()), "area": float(1 + x.sum())})
    provenance = Provenance("synthetic", "1", space.version, "none", "0" * 32)
    return Trial(design, metrics, provenance, Keys(design.literal, canonical.literal), duplicate=duplicate, number=number)


def _play(case: _Case, searcher: Searcher, rounds: int, batch: int) -> list[str]:
    """Search and return the literals asked."""
    asked: list[str] = []
    for _ in range(rounds):
        designs = case.ask(searcher, batch)
        searcher.tell([synthetic_trial(case.space, design, number=len(asked) + i) for i, design in enumerate(designs)])
        asked += [design.literal for design in designs]
    return asked


def _check_search(case: _Case, rounds: int, batch: int) -> None:
    first, second = (_play(case, case.searcher(), rounds, batch) for _ in range(2))
    case.found.check(first == second, "equal seeds must ask equal designs")
    case.found.check(len(first) >= batch, "must ask something on a fresh space", f"{len(first)} designs in {rounds} rounds")
    case.found.check(case.searcher().ask(0) == [], "ask(0) must return an empty list")


def _check_restore(case: _Case, rounds: int, batch: int) -> None:
    original = case.searcher()
    _play(case, original, rounds // 2, batch)
    pending = case.ask(original, batch)  # asked, not told: such designs are part of the state
    text = _state_text(case, original)
    if text is None:
        return
    case.found.check(_state_text(case, original) == text, "state() must not change the searcher")
    restored = case.searcher(seed=case.seed + 1)
    restored.restore(json.loads(text))
    case.found.check(_state_text(case, restored) == text, "a restored searcher must have the state that it was given")
    futures = []
    for searcher in (original, restored):
        searcher.tell([synthetic_trial(case.space, design) for design in pending])
        futures.append(_play(case, searcher, rounds - rounds // 2, batch))
    case.found.check(futures[0] == futures[1], "a restored searcher must go on exactly as the original", _first_difference(*futures))


def _state_text(case: _Case, searcher: Searcher) -> str | None:
    try:
        return json.dumps(searcher.state(), allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        case.found.check(False, "state() must be JSON data without infinities", error)
        return None


def _check_odd_tells(case: _Case, rounds: int, batch: int) -> None:
    searcher, space = case.searcher(), case.space
    strangers = space.sample(np.random.default_rng(case.seed + 7), batch)
    searcher.tell([])
    searcher.tell([synthetic_trial(space, design) for design in strangers])  # never asked
    late: list[Design] = []
    for i in range(rounds):
        designs = case.ask(searcher, batch)
        results = [None, Metrics.infeasible(["planted"]), Metrics.failed("planted"), Metrics.timeout("planted")]
        trials = [synthetic_trial(space, design, results[(i + j) % 4]) for j, design in enumerate(designs[1:])]
        searcher.tell(trials[::-1])
        searcher.tell([synthetic_trial(space, trial.design, trial.metrics, duplicate=True) for trial in trials])  # told again
        searcher.tell([synthetic_trial(space, design) for design in late])
        late = designs[:1]
    _state_text(case, searcher)
    equivalents = [space.canonical(design) for design in strangers]
    searcher.tell([synthetic_trial(space, design, duplicate=True) for design in equivalents])
    case.ask(searcher, batch)


def _check_exhaustion(case: _Case) -> None:
    space = tiny_space()
    searcher = case.searcher(space)
    for _ in range(12):
        designs = case.ask(searcher, 3, space)
        searcher.tell([synthetic_trial(space, design) for design in designs])


def _check_options(case: _Case) -> None:
    try:
        case.make(case.space, case.objective, seed=0, **case.options, no_such_option=math.pi)
    except (InputError, TypeError) as error:
        case.found.check("no_such_option" in str(error), "the error of an unknown option must name it", error)
    else:
        case.found.check(False, "an unknown option must be refused")


def _first_difference(a: Sequence[str], b: Sequence[str]) -> str:
    for i, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return f"design {i} after restoring is {y}, expected {x}"
    return f"{len(a)} and {len(b)} designs"
