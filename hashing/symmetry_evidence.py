"""Measurements for the symmetry finder: bounded in number, and compared with what the space declares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from designgym.core.design import Design
from designgym.core.errors import DesignGymError
from designgym.core.evaluator import Evaluator
from designgym.core.measuring import agree
from designgym.core.metrics import Metrics, MetricSpec
from designgym.core.protocols import Resources, Simulator
from designgym.core.space import DesignSpace
from designgym.core.workload import Workload
from designgym.hashing.local_cache import LocalCache

BATCH = 128  # designs handed to the simulator at a time
SHOWN_CONTRADICTIONS = 20


class BudgetSpentError(DesignGymError):
    """There are not enough evaluations left."""


class WithoutRules:
    """A simulator whose space declares nothing to be equivalent: every design is measured for itself."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self.name, self.version = simulator.name, simulator.version
        self.metrics: tuple[MetricSpec, ...] = simulator.metrics
        self.deterministic, self.resources = simulator.deterministic, simulator.resources
        space = simulator.space
        self.space = DesignSpace(dict(space.parameters), version=f"{space.version} without rules", constraints=space.constraints)

    name: str
    version: str
    deterministic: bool
    resources: Resources

    def evaluate(self, designs: Sequence[Design], workload: Workload, *, fidelity: float = 1.0, seed: int = 0) -> list[Metrics]:
        """Evaluate the designs as the simulator does."""
        return self._simulator.evaluate(designs, workload, fidelity=fidelity, seed=seed)

    def probe(self, designs: Sequence[Design], workload: Workload, *, seed: int = 0) -> list[bytes] | None:
        """Return None: similar is not equal."""
        return None


class Evidence:
    """Measures designs and compares them.

    Attributes:
        space: The simulator's space without its rules.
        evaluations: Designs measured so far.
        failed: Those of them that failed.
        declared_pairs: Pairs compared that the simulator's space declares equivalent.
        contradictions: Some of those whose metrics differ.
    """

    def __init__(
        self,
        simulator: Simulator,
        workload: Workload,
        *,
        fidelity: float,
        tolerance: float,
        budget: int,
        progress: Callable[[int], None] | None,
    ) -> None:
        bare = WithoutRules(simulator)
        self.space, self._declaring, self._traits = bare.space, simulator.space, workload.traits
        self._evaluator = Evaluator(bare, workload, cache=LocalCache(), fidelity=fidelity)
        self._tolerance, self._budget, self._progress = tolerance, budget, progress or (lambda count: None)
        self._known: dict[Design, Metrics] = {}
        self.evaluations = self.failed = self.declared_pairs = 0
        self.contradictions: list[tuple[Design, Design]] = []
        self.traits = workload.traits

    def measure(self, designs: Iterable[Design]) -> None:
        """Measure the designs that are not measured yet.

        Raises:
            BudgetSpentError: If they are more than the budget has left; then none is measured.
        """
        new = list(dict.fromkeys(design for design in designs if design not in self._known))
        if self.evaluations + len(new) > self._budget:
            raise BudgetSpentError(f"{len(new)} evaluations, of which {self._budget - self.evaluations} are left")
        for start in range(0, len(new), BATCH):
            batch = new[start : start + BATCH]
            for design, trial in zip(batch, self._evaluator.evaluate(batch), strict=True):
                self._known[design] = trial.metrics
                self.failed += trial.metrics.status in ("failed", "timeout")
            self.evaluations += len(batch)
            self._progress(len(batch))

    def compare(self, pairs: Sequence[tuple[Design, Design]]) -> list[bool | None]:
        """Return, for each pair, whether its metrics are equal; None if one could not be measured. Measures what is new."""
        self.measure(design for pair in pairs for design in pair)
        return [self.equal(a, b) for a, b in pairs]

    def equal(self, a: Design, b: Design) -> bool | None:
        """Return whether two measured designs have equal metrics; None if one could not be measured."""
        known = self._known[a], self._known[b]
        if any(metrics.status in ("failed", "timeout") for metrics in known):
            return None
        same = agree(*known, self._tolerance)
        if self.declared(a, b):
            self.declared_pairs += 1
            if not same and len(self.contradictions) < SHOWN_CONTRADICTIONS:
                self.contradictions.append((a, b))
        return same

    def declared(self, a: Design, b: Design) -> bool:
        """Return whether the simulator's space declares two designs equivalent under this workload."""
        canonical: Any = self._declaring.canonical
        return bool(canonical(a, self._traits) == canonical(b, self._traits))
