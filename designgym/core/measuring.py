"""Calling a simulator safely: one result per design whatever happens, and an exception fails the design that raises it only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from designgym.core.design import Design
from designgym.core.errors import EvaluationError, InputError, NotInstalledError, StoreError, shorten
from designgym.core.external import ProgramTimeout
from designgym.core.metrics import Metrics
from designgym.core.protocols import Simulator
from designgym.core.workload import Workload

Execute = Callable[[Sequence[Design], Workload, float, int], list[Metrics]]
MISUSE = (EvaluationError, InputError, NotInstalledError, StoreError)  # raised on purpose, and no fault of a single design: passed on


class Measurer:
    """Measures designs under one workload, fidelity and seed.

    Args:
        simulator: What measures.
        workload: What it measures on.
        fidelity: Fraction of full fidelity in (0, 1].
        seed: Seed of the first measurement of each design.
        execute: How a batch is run; ``simulator.evaluate`` in this process if None.
    """

    def __init__(self, simulator: Simulator, workload: Workload, fidelity: float, seed: int, execute: Execute | None = None) -> None:
        self._simulator, self._workload, self._fidelity, self._seed = simulator, workload, fidelity, seed
        self._execute: Execute = execute or (lambda designs, wl, f, s: simulator.evaluate(designs, wl, fidelity=f, seed=s))

    def __call__(self, designs: Sequence[Design], measurements: int = 0) -> tuple[list[Metrics], float]:
        """Return one checked result per design, and the seconds that it took.

        Args:
            designs: What to measure.
            measurements: How often each of them was measured before; a noisy simulator gets another seed each time.

        Raises:
            EvaluationError: If the simulator does not return one `Metrics` per design.
        """
        seed = self._seed
        if measurements and not self._simulator.deterministic:
            seed = int(np.random.SeedSequence([self._seed, measurements]).generate_state(1)[0])
        started = time.perf_counter()
        results = self._run(designs, seed)
        return results, time.perf_counter() - started

    def _run(self, designs: Sequence[Design], seed: int) -> list[Metrics]:
        started = time.perf_counter()
        try:
            returned = self._execute(designs, self._workload, self._fidelity, seed)
        except MISUSE:
            raise
        except (Exception, SystemExit) as error:
            if ends_process(error):
                raise
            if len(designs) > 1:
                return [result for design in designs for result in self._run([design], seed)]
            returned = [failure(self._simulator, error)]
        seconds = time.perf_counter() - started
        results = checked_results(self._simulator, designs, returned)
        return [result if result.cost_s else replace(result, cost_s=seconds / len(designs)) for result in results]


def checked_results(simulator: Simulator, designs: Sequence[Design], returned: object) -> list[Metrics]:
    """Return what a simulator returned, each result checked; raises `EvaluationError` if it is not one `Metrics` per design."""
    if not isinstance(returned, list | tuple) or not all(isinstance(result, Metrics) for result in returned):
        raise EvaluationError(f"{simulator.name} returned {shorten(returned)}, expected a list of Metrics, one per design")
    if len(returned) != len(designs):
        raise EvaluationError(f"{simulator.name} returned {len(returned)} results for {len(designs)} designs, expected one each")
    return [result.checked(simulator.metrics) for result in returned]


def ends_process(error: BaseException) -> bool:
    """Return whether an exception is no doing of a simulator: Ray ends the process that it runs in."""
    return hasattr(error, "ray_terminate_msg")


def failure(simulator: Simulator, error: BaseException) -> Metrics:
    """Return the result of a design for which a simulator raised; not for `MISUSE`."""
    kind = Metrics.timeout if isinstance(error, ProgramTimeout) else Metrics.failed
    return kind(f"{simulator.name} raised {type(error).__name__}: {error}")


class CrashMemory:
    """Remembers designs that crash repeatedly, so that they are not tried for ever. Failures are never cached as results."""

    def __init__(self, crashes: int = 2, limit: int = 10_000) -> None:
        """Set after how many crashes in a row a design is given up, and how many failing designs are remembered (the latest)."""
        self._crashes, self._limit = crashes, limit
        self._failures: dict[str, tuple[int, Metrics]] = {}
        self._lock = threading.Lock()

    def note(self, key: str, metrics: Metrics) -> None:
        """Note the latest measurement of a key; a success wipes the slate clean."""
        if metrics.status not in ("failed", "timeout") and not self._failures:
            return
        with self._lock:
            times, _ = self._failures.pop(key, (0, None))
            if metrics.status in ("failed", "timeout"):
                self._failures[key] = (times + 1, metrics)
                if len(self._failures) > self._limit:
                    del self._failures[next(iter(self._failures))]

    def recall(self, key: str) -> Metrics | None:
        """Return the failure of a key that is given up."""
        times, metrics = self._failures.get(key, (0, None))
        return metrics if times >= self._crashes else None


def agree(a: Metrics, b: Metrics, tolerance: float) -> bool:
    """Return whether two results are the same, up to a relative difference of ``tolerance`` in every metric."""
    if a.status != b.status or a.values.keys() != b.values.keys():
        return False
    return all(abs(a[name] - b[name]) <= tolerance * max(abs(a[name]), abs(b[name])) for name in a.values)
