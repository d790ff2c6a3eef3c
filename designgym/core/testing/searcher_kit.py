"""`check_searcher`: the contract of a searcher, on small synthetic problems."""

from __future__ import annotations

import contextlib
import json
import math
import operator
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cloudpickle
import numpy as np

from designgym.core.design import Design
from designgym.core.errors import InputError, shorten
from designgym.core.metrics import Metrics
from designgym.core.objectives import Objective, minimize
from designgym.core.parameters import Categorical, Float, Integer, PowerOfTwo
from designgym.core.protocols import Searcher
from designgym.core.rules import Condition, Constraint
from designgym.core.space import DesignSpace
from designgym.core.testing.findings import Abandoned, Findings
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
    other_process: bool = True,
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
        other_process: Whether it is also compared with itself in another process, where texts hash otherwise; takes about a second, and
            is left out if there are findings already.

    Raises:
        ConformanceError: Listing everything that is broken.
    """
    found = Findings(f"searcher {getattr(make, '__name__', make)!r}")
    case = _Case(make, objective or minimize("cost"), dict(options or {}), space or synthetic_space(), seed, found)
    with contextlib.suppress(Abandoned):
        asked: list[str] | None = None
        with found.no_exception("searching"):
            asked = _check_search(case, rounds, batch)
        if asked is None:
            raise Abandoned
        with found.no_exception("restoring"):
            _check_restore(case, rounds, batch)
        with found.no_exception("odd tells"):
            _check_odd_tells(case, rounds, batch)
        with found.no_exception("searching through a small space"):
            _check_exhaustion(case)
        if other_process and not found.sentences:
            with found.no_exception("searching in another process"):
                _check_other_process(case, rounds, batch, asked)
    with found.no_exception("an unknown option"):
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
        """Ask, and check each design.

        Raises:
            Abandoned: If the answer is none that a search could go on with.
        """
        space = space or self.space
        with self.found.global_random_kept("ask"):
            designs = searcher.ask(n)
        self._require(
            isinstance(designs, list) and len(designs) <= n, "ask(n) must return a list of up to n designs", shorten(designs, 300)
        )
        for design in designs:
            self._require(isinstance(design, Design), "ask must return Design objects", repr(design))
            try:
                self._require(space.validate(design) == design, "asked designs must be valid", design)
            except InputError as error:
                self._require(False, "asked designs must be valid", error)
            self.found.check(not space.violations(design), "asked designs must be legal", f"{design!r} {space.violations(design)}")
        return designs

    def tell(self, searcher: Searcher, trials: Sequence[Trial]) -> None:
        """Tell, and check that the list comes back as it was: whoever tells goes on using it."""
        told = list(trials)
        with self.found.global_random_kept("tell"):
            searcher.tell(told)
        self.found.check(len(told) == len(trials) and all(map(operator.is_, told, trials)), "tell must leave the list of trials as it is")

    def _require(self, holds: object, law: str, example: object) -> None:
        if not self.found.check(holds, law, example):
            raise Abandoned


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
        case.tell(searcher, [synthetic_trial(case.space, design, number=len(asked) + i) for i, design in enumerate(designs)])
        asked += [design.literal for design in designs]
    return asked


def _check_search(case: _Case, rounds: int, batch: int) -> list[str]:
    first, second = (_play(case, case.searcher(), rounds, batch) for _ in range(2))
    if not case.found.check(first == second, "equal seeds must ask equal designs", _first_difference(first, second, "on the second run")):
        raise Abandoned  # so do restored searchers, then
    case.found.check(len(first) >= batch, "must ask something on a fresh space", f"{len(first)} designs in {rounds} rounds")
    case.found.check(case.searcher().ask(0) == [], "ask(0) must return an empty list")
    return first


def _check_other_process(case: _Case, rounds: int, batch: int, asked: list[str]) -> None:
    """Search in a process that hashes texts differently: the order of a set is no order to rely on."""
    work = cloudpickle.dumps((case.make, case.objective, case.options, case.space, case.seed, rounds, batch))
    hashing = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    environment = os.environ | {"PYTHONHASHSEED": hashing, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    code = "from designgym.core.testing import searcher_kit; searcher_kit.play_from_stdin()"
    done = subprocess.run([sys.executable, "-c", code], input=work, capture_output=True, env=environment, check=False)
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    there = json.loads(done.stdout.splitlines()[-1])  # a searcher may print
    case.found.check(there == asked, "equal seeds must ask equal designs in any process", _first_difference(asked, there, "elsewhere"))


def play_from_stdin() -> None:
    """Search as `check_searcher` describes on standard input, and print the literals asked as the last line."""
    make, objective, options, space, seed, rounds, batch = cloudpickle.load(sys.stdin.buffer)
    case = _Case(make, objective, options, space, seed, Findings("searcher"))
    print("\n" + json.dumps(_play(case, case.searcher(), rounds, batch)), flush=True)


def _check_restore(case: _Case, rounds: int, batch: int) -> None:
    original = case.searcher()
    _play(case, original, rounds // 2, batch)
    pending = case.ask(original, batch)  # asked, not told: such designs are part of the state
    text = _state_text(case, original)
    if text is None:
        return
    if not case.found.check(_state_text(case, original) == text, "state() must not change the searcher"):
        return
    restored = case.searcher(seed=case.seed + 1)
    restored.restore(json.loads(text))
    case.found.check(_state_text(case, restored) == text, "a restored searcher must have the state that it was given")
    futures = []
    for searcher in (original, restored):
        case.tell(searcher, [synthetic_trial(case.space, design) for design in pending])
        futures.append(_play(case, searcher, rounds - rounds // 2, batch))
    law = "a restored searcher must go on exactly as the original"
    case.found.check(futures[0] == futures[1], law, _first_difference(futures[0], futures[1], "after restoring"))


def _state_text(case: _Case, searcher: Searcher) -> str | None:
    try:
        return json.dumps(searcher.state(), allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as error:
        case.found.check(False, "state() must be JSON data without infinities", error)
        return None


def _check_odd_tells(case: _Case, rounds: int, batch: int) -> None:
    searcher, space = case.searcher(), case.space
    strangers = space.sample(np.random.default_rng(case.seed + 7), batch)
    case.tell(searcher, [])
    case.tell(searcher, [synthetic_trial(space, design) for design in strangers])  # never asked
    late: list[Design] = []
    for i in range(rounds):
        designs = case.ask(searcher, batch)
        results = [None, Metrics.infeasible(["planted"]), Metrics.failed("planted"), Metrics.timeout("planted")]
        trials = [synthetic_trial(space, design, results[(i + j) % 4]) for j, design in enumerate(designs[1:])]
        case.tell(searcher, trials[::-1])
        case.tell(searcher, [synthetic_trial(space, trial.design, trial.metrics, duplicate=True) for trial in trials])  # told again
        case.tell(searcher, [synthetic_trial(space, design) for design in late])
        late = designs[:1]
    _state_text(case, searcher)
    equivalents = [space.canonical(design) for design in strangers]
    case.tell(searcher, [synthetic_trial(space, design, duplicate=True) for design in equivalents])
    case.ask(searcher, batch)


def _check_exhaustion(case: _Case) -> None:
    space = tiny_space()
    searcher = case.searcher(space)
    for _ in range(12):
        designs = case.ask(searcher, 3, space)
        case.tell(searcher, [synthetic_trial(space, design) for design in designs])


def _check_options(case: _Case) -> None:
    try:
        case.make(case.space, case.objective, seed=0, **case.options, no_such_option=math.pi)
    except (InputError, TypeError) as error:
        case.found.check("no_such_option" in str(error), "the error of an unknown option must name it", error)
    else:
        case.found.check(False, "an unknown option must be refused")


def _first_difference(a: Sequence[str], b: Sequence[str], when: str) -> str:
    for i, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return f"design {i} {when} is {y}, expected {x}"
    return f"{len(a)} and {len(b)} designs"
