"""How the runs of a study measure: what another run, or an earlier study, knows already is taken from there.

Every result is written down as soon as the simulator has returned it, before it is shared and before the batch is complete: a kill
loses at most the simulator call in progress. That costs a transaction per call, so cheap designs are sent in calls of about
`CALL_S`, and the last call of a cheap batch is written together with the batch itself, microseconds later.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from designgym.core.design import Design
from designgym.core.function_simulator import FunctionSimulator
from designgym.core.functional_hits import Wanted, sort_hits
from designgym.core.keys import KeyMaker
from designgym.core.measuring import checked_results
from designgym.core.metrics import Metrics
from designgym.core.protocols import EquivalenceCache, Simulator
from designgym.core.trial import Obtained
from designgym.core.workload import Workload
from designgym.studies.shared_behaviours import SharedBehaviours, is_result
from designgym.studies.store_base import NOBODY, RunStore

CALL_S = 0.01  # simulator time per call: a transaction (0.6 ms) per call stays small beside it
WAIT_S = 5.0  # longest sleep on another run's measurement before looking again

OnResults = Callable[[Sequence[int], Sequence[Metrics]], None]


class Runner(Protocol):
    """Where simulator calls run: here, or on a pool of workers."""

    def __call__(self, designs: Sequence[Design], workload: Workload, fidelity: float, seed: int, on_results: OnResults) -> None:
        """Measure the designs; ``on_results`` receives positions and results as they come."""
        ...


class InProcess:
    """Calls the simulator in this process, in calls short enough that little is lost if the process is killed."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        # a plain function is called once per design anyway; others may use all cores for one call
        self._at_least = 1 if isinstance(simulator, FunctionSimulator) else os.cpu_count() or 1
        self._design_s = CALL_S

    def __call__(self, designs: Sequence[Design], workload: Workload, fidelity: float, seed: int, on_results: OnResults) -> None:
        """See `Runner`."""
        start = 0
        while start < len(designs):
            part = designs[start : start + max(self._at_least, int(CALL_S / self._design_s))]
            began = time.perf_counter()
            results = checked_results(self._simulator, part, self._simulator.evaluate(part, workload, fidelity=fidelity, seed=seed))
            self._design_s = max((time.perf_counter() - began) / len(part), 1e-6)
            on_results(range(start, start + len(part)), results)
            start += len(part)


class SharedMeasuring:
    """Measures what neither the other runs' cache nor the store holds (the ``execute`` of an `Evaluator`).

    Args:
        simulator: What measures.
        workload: What it measures on.
        fidelity: Fraction of full fidelity.
        seed: Seed of the simulator.
        runner: Where it runs.
        cache: What the runs share.
        store: Where results are written down and looked up.
        reuse: Whether results of other studies in the store count.
        run_id: The run that measures; None for a calibration.
        owner: Its writer.
        behaviours: Functional keys, if they are shared too.

    Attributes:
        obtained: How results that were not measured here came, by canonical key, since the last `start_batch`.
    """

    def __init__(
        self, simulator: Simulator, workload: Workload, *, fidelity: float, seed: int, runner: Runner, cache: EquivalenceCache,
        store: RunStore, reuse: bool, run_id: int | None = None, owner: str = "", behaviours: SharedBehaviours | None = None,
    ) -> None:  # fmt: skip
        self._simulator, self._runner, self._cache, self._store = simulator, runner, cache, store
        self._keys = KeyMaker(simulator, workload, fidelity=fidelity, seed=seed)
        self._reuse, self._run_id, self._owner = reuse, run_id, owner
        self.behaviours, self.obtained = behaviours, dict[str, Obtained]()
        self._own: set[str] = set()  # the keys measured here, in the cache from then on like those of others

    def start_batch(self) -> None:
        """Forget whose the results of the last batch were."""
        self.obtained.clear()
        self._own.clear()

    def __call__(self, designs: Sequence[Design], workload: Workload, fidelity: float, seed: int) -> list[Metrics]:
        """Return one result per design, in order."""
        keys = [self._keys.keys(design).canonical for design in designs]
        todo = dict(zip(keys, designs, strict=True))
        known: dict[str, Metrics] = {}
        while missing := [key for key in todo if key not in known]:
            answers = dict(zip(missing, self._cache.lookup(missing), strict=True))
            hits = {key: answer.metrics for key, answer in answers.items() if answer.metrics is not None}
            known |= hits
            self.obtained.update(dict.fromkeys(hits.keys() - self._own, "exact hit"))
            reserved = {key: answer.token for key, answer in answers.items() if answer.kind == "reserved"}
            busy = [key for key, answer in answers.items() if answer.kind == "busy"]
            audits: dict[str, Metrics] = {}
            try:
                known |= self._from_store(reserved)
                new = [key for key in reserved if key not in known]
                if self.behaviours is not None and new:
                    new = self._without_functional_hits(new, reserved, known, audits, busy)
                if new:
                    known |= self._measure(new, [todo[key] for key in new], reserved, workload, fidelity, seed)
            finally:
                self._end_audits(audits, known)
                self._cache.fail(reserved)
            if busy and not any(key in known for key in missing):
                self._cache.wait(busy[0], WAIT_S)
        if self.behaviours is not None:
            self.behaviours.note(key for key in todo if is_result(known[key]))
        return [known[key] for key in keys]

    def _without_functional_hits(
        self, new: list[str], reserved: dict[str, str], known: dict[str, Metrics], audits: dict[str, Metrics], busy: list[str]
    ) -> list[str]:
        """Serve what another run's result stands for, and return what to measure, some of it as audits."""
        assert self.behaviours is not None
        recall = self.behaviours.probed.recall
        wanted = [Wanted(key, reserved[key], recall(key)) for key in new]
        found = sort_hits(self._cache, self.behaviours.policy, wanted, self.behaviours.met)
        known |= found.serve
        audits |= found.audits
        self.obtained.update(dict.fromkeys(found.serve, "functional hit"))
        self._cache.fail({key: reserved.pop(key) for key in (*found.serve, *found.leave)})
        if found.busy:
            busy.insert(0, found.busy)
        return found.measure

    def _end_audits(self, audits: dict[str, Metrics], known: dict[str, Metrics]) -> None:
        for key, claim in audits.items():
            if self.behaviours is not None and self.behaviours.end_audit(key, claim, known.get(key)):
                self.obtained[key] = "audited"

    def _from_store(self, reserved: dict[str, str]) -> dict[str, Metrics]:
        stored = {
            key: (metrics, noted_by)
            for key, (metrics, noted_by) in self._store.measured(list(reserved)).items()
            if self._reuse or (noted_by is not None and noted_by in (self._run_id, NOBODY))
        }
        # what this run noted before it was killed is its own measurement, not a hit; and so is what only a calibration has used so far
        own = {key for key, (_, noted_by) in stored.items() if noted_by is not None and noted_by == self._run_id}
        free = [key for key, (_, noted_by) in stored.items() if noted_by == NOBODY]
        if free and self._run_id is not None:
            own |= self._store.adopt(free, self._run_id, self._owner)
        self._own.update(own)
        self.obtained.update(dict.fromkeys(stored.keys() - own, "exact hit"))
        results = {key: metrics for key, (metrics, _) in stored.items()}
        self._share(results, reserved)
        return results

    def _measure(
        self, keys: Sequence[str], designs: Sequence[Design], reserved: dict[str, str], workload: Workload, fidelity: float, seed: int
    ) -> dict[str, Metrics]:
        results: dict[str, Metrics] = {}
        last = time.perf_counter()

        def keep(positions: Sequence[int], metrics: Sequence[Metrics]) -> None:
            nonlocal last
            seconds, last = time.perf_counter() - last, time.perf_counter()
            checked = [result if result.cost_s else replace(result, cost_s=seconds / len(metrics)) for result in metrics]
            new = {keys[position]: result for position, result in zip(positions, checked, strict=True)}
            results.update(new)
            self._own.update(new)
            if len(results) < len(keys) or seconds > CALL_S or self._run_id is None:
                self._store.note(new, self._run_id, self._owner)
            self._share({key: result for key, result in new.items() if is_result(result)}, reserved)

        self._runner(designs, workload, fidelity, seed, keep)
        return results

    def _share(self, results: dict[str, Metrics], reserved: dict[str, str]) -> None:
        self._cache.fill([(key, reserved.pop(key), metrics) for key, metrics in results.items()])
