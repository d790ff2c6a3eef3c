"""Measurements for the symmetry finder: bounded in number, and compared with what the space declares."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from designgym.core.averaging import Averaged
from designgym.core.design import Design
from designgym.core.errors import DesignGymError, EvaluationError, InputError
from designgym.core.evaluator import AGREEMENT, Evaluator
from designgym.core.groups import Repeated
from designgym.core.metrics import Metrics, MetricSpec
from designgym.core.parameters import Parameter
from designgym.core.protocols import Resources, Simulator
from designgym.core.space import DesignSpace
from designgym.core.workload import Workload

MOST_AT_ONCE = 128  # designs handed to the simulator
AT_ONCE_S = 0.5  # and no more than take about so long, so that progress is seen and Ctrl-C heard
SHOWN_CONTRADICTIONS = 20
TRIES = 3  # a design that fails so often fails by itself ...
TRIES_IF_FLAKY = 8  # ... unless failures were seen to come and go
NOISE_DESIGNS, NOISE_SEEDS = 12, 6
STANDARD_ERRORS = 6.0  # of a difference, that are taken for noise: thousands of pairs are compared, and one difference refutes a rule


class BudgetSpentError(DesignGymError):
    """There are not enough evaluations left."""


class Scope(Protocol):
    """Designs that can be drawn, measured and compared: those of a space, or the elements of a group in their places."""

    space: DesignSpace

    def sample(self, rng: np.random.Generator, n: int) -> list[Design]:
        """Return legal designs."""
        ...

    def legal(self, design: Design) -> bool:
        """Return whether a design breaks no constraint."""
        ...

    def measure(self, designs: Iterable[Design]) -> None:
        """Measure the designs that are not measured yet; raises `BudgetSpentError` if they are too many."""
        ...

    def equal(self, a: Design, b: Design) -> bool | None:
        """Return whether two measured designs have equal metrics; None if that cannot be said."""
        ...

    def declared(self, a: Design, b: Design) -> bool:
        """Return whether two designs are declared equivalent."""
        ...


def compare(scope: Scope, pairs: Sequence[tuple[Design, Design]]) -> list[bool | None]:
    """Return, for each pair, whether its metrics are equal; None if that cannot be said. Measures what is new."""
    scope.measure(design for pair in pairs for design in pair)
    return [scope.equal(a, b) for a, b in pairs]


class WithoutRules:
    """A simulator whose space declares nothing to be equivalent: every design is measured for itself."""

    name: str
    version: str
    deterministic: bool
    resources: Resources

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self.name, self.version = simulator.name, simulator.version
        self.metrics: tuple[MetricSpec, ...] = simulator.metrics
        self.deterministic, self.resources = simulator.deterministic, simulator.resources
        self.space = without_rules(simulator.space)

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Evaluate the designs as the simulator does."""
        return self._simulator.evaluate(designs, workload, fidelity=fidelity, seed=seed)

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes] | None:
        """Return None: similar is not equal."""
        return None


def without_rules(space: DesignSpace) -> DesignSpace:
    """Return the space with its parameters and constraints alone, inside of groups as well."""

    def bare(parameter: Parameter) -> Parameter:
        if not isinstance(parameter, Repeated):
            return parameter
        return Repeated(without_rules(parameter.space), parameter.low, parameter.high, default=parameter.default)

    parameters = {name: bare(parameter) for name, parameter in space.parameters.items()}
    return DesignSpace(parameters, version=f"{space.version} without rules", constraints=space.constraints)


class Evidence:
    """Measures the designs of a simulator's space and compares them (a `Scope`).

    Attributes:
        space: The simulator's space without its rules.
        allowance: Evaluations that may be made for the time being.
        evaluations: Evaluations made; several of a design count as such.
        failed: Designs that failed.
        declared_pairs: Pairs compared that the simulator's space declares equivalent.
        contradictions: Some of those whose metrics differ.
        noise: Relative differences up to which each metric of a noisy simulator counts as equal.
    """

    def __init__(
        self,
        simulator: Simulator,
        workload: Workload,
        *,
        fidelity: float,
        tolerance: float | None,
        measurements: int,
        budget: int,
        progress: Callable[[int], None] | None,
    ) -> None:
        single: Simulator = WithoutRules(simulator)
        bare = single if simulator.deterministic or measurements == 1 else Averaged(single, measurements)
        self.space, self._declaring, self.traits = single.space, simulator.space, workload.traits
        self._new_evaluator = lambda: Evaluator(bare, workload, fidelity=fidelity)
        self._single = lambda seed: Evaluator(single, workload, fidelity=fidelity, seed=seed)
        self._evaluator = self._new_evaluator()
        self._deterministic, self._each = simulator.deterministic, 1 if bare is single else measurements
        self._tolerance, self._name = tolerance, simulator.name
        self.allowance, self._progress = budget, progress or (lambda count: None)
        self._known: dict[Design, Metrics] = {}
        self._given_up: set[Design] = set()  # designs that fail by themselves, however often they are tried
        self._flaky, self._at_once = False, 1
        self.evaluations = self.failed = self.declared_pairs = 0
        self.contradictions: list[tuple[Design, Design]] = []
        self.noise: dict[str, float] = {}

    def sample(self, rng: np.random.Generator, n: int) -> list[Design]:
        """Return legal designs."""
        return self.space.sample(rng, n)

    def legal(self, design: Design) -> bool:
        """Return whether a design breaks no constraint."""
        return not self.space.violations(design)

    def calibrate(self, rng: np.random.Generator) -> None:
        """Find out how far measurements of the same design scatter; does nothing if the tolerance was given.

        Raises:
            InputError: If they do, of a simulator that says that it is deterministic.
        """
        if self._tolerance is not None:
            return
        designs, seeds = self.sample(rng, NOISE_DESIGNS), NOISE_SEEDS
        if self._deterministic:
            designs, seeds = designs[:2], 2
        found: list[list[Metrics]] = []
        for number in range(seeds):
            self._spend(len(designs))
            found.append([trial.metrics for trial in self._single(number).evaluate(designs)])
        squares: dict[str, list[float]] = {}
        for results in zip(*found, strict=True):
            if all(metrics.ok for metrics in results):
                for name in results[0].values:
                    values = np.array([metrics[name] for metrics in results])
                    scale = float(np.abs(values).max())
                    squares.setdefault(name, []).append(float(np.var(values / scale, ddof=1)) if scale else 0.0)
        spread = {name: float(np.sqrt(np.mean(each))) for name, each in squares.items()}
        if self._deterministic:
            if wrong := next((name for name, sd in spread.items() if sd > AGREEMENT), None):
                raise InputError(
                    f"{self._name} says that it is deterministic, but {wrong} differed between two measurements of the same design: "
                    "declare deterministic=False, or give a tolerance"
                )
            return
        self.noise = {name: STANDARD_ERRORS * sd * float(np.sqrt(2 / self._each)) for name, sd in spread.items() if sd > AGREEMENT}

    def measure(self, designs: Iterable[Design]) -> None:
        """Measure the designs that are not measured yet.

        Raises:
            BudgetSpentError: If they are more than may be measured; then none is.
        """
        new = list(dict.fromkeys(design for design in designs if design not in self._known))
        self._check(len(new) * self._each)
        while new:
            batch, new = new[: self._at_once], new[self._at_once :]
            started = time.perf_counter()
            for design, trial in zip(batch, self._evaluator.evaluate(batch), strict=True):
                self._known[design] = trial.metrics
                self.failed += _failed(trial.metrics)
            self._spend(len(batch) * self._each)
            each_s = (time.perf_counter() - started) / len(batch)
            self._at_once = max(1, min(MOST_AT_ONCE, 2 * len(batch), int(AT_ONCE_S / max(each_s, 1e-9))))

    def refuse_if_all_failed(self) -> None:
        """Raise `EvaluationError` if no design that was measured works: then nothing is known of any."""
        first = next(iter(self._known.values()), None)
        if first is not None and all(map(_failed, self._known.values())):
            raise EvaluationError(
                f"all {len(self._known)} designs failed that were measured, the first one: {first.error or first.status}. "
                "See that designs can be evaluated at all: designgym.core.testing.check_simulator"
            )

    def equal(self, a: Design, b: Design) -> bool | None:
        """Return whether two measured designs have equal metrics.

        A design that fails, and fails again whenever it is tried, is not like one that works. None is returned where both fail, and
        where a failure cannot be tried again.
        """
        bad = [design for design in (a, b) if _failed(self._known[design])]
        if len(bad) == 2 or (bad and not self._works_after_all(bad[0])):
            same = None if len(bad) == 2 or bad[0] not in self._given_up else False
        else:
            same = self._agree(self._known[a], self._known[b])
        if same is not None and self.declared(a, b):
            self.declared_pairs += 1
            if not same and len(self.contradictions) < SHOWN_CONTRADICTIONS:
                self.contradictions.append((a, b))
        return same

    def declared(self, a: Design, b: Design) -> bool:
        """Return whether the simulator's space declares two designs equivalent under this workload."""
        canonical: Any = self._declaring.canonical
        return bool(canonical(a, self.traits) == canonical(b, self.traits))

    # ---- inside ---------------------------------------------------------------------------------------------------------

    def _check(self, evaluations: int) -> None:
        if self.evaluations + evaluations > self.allowance:
            raise BudgetSpentError(f"{evaluations} evaluations, of which {self.allowance - self.evaluations} are left")

    def _spend(self, evaluations: int) -> None:
        self.evaluations += evaluations
        self._progress(evaluations)

    def _works_after_all(self, design: Design) -> bool:
        """Return whether a design that failed works when it is tried again."""
        if design in self._given_up:
            return False
        for _ in range((TRIES_IF_FLAKY if self._flaky else TRIES) - 1):
            if self.evaluations + self._each > self.allowance:
                return False
            # an evaluator of its own, since one gives up a design that fails twice
            metrics = self._new_evaluator().evaluate([design])[0].metrics
            self._spend(self._each)
            if not _failed(metrics):
                self._known[design], self._flaky = metrics, True
                return True
        self._given_up.add(design)
        return False

    def _agree(self, a: Metrics, b: Metrics) -> bool:
        if a.status != b.status or a.values.keys() != b.values.keys():
            return False
        least = AGREEMENT if self._tolerance is None else self._tolerance
        return all(abs(a[name] - b[name]) <= _allowed(self.noise, name, least) * max(abs(a[name]), abs(b[name])) for name in a.values)


def _allowed(noise: Mapping[str, float], name: str, least: float) -> float:
    return max(noise.get(name, 0.0), least)


def _failed(metrics: Metrics) -> bool:
    return metrics.status in ("failed", "timeout")
