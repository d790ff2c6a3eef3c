"""`Evaluator`: the one place where a simulator is called. Designs go in; results come out, measured only where nothing equal is known."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from designgym.core.design import Design
from designgym.core.errors import EvaluationError, InputError
from designgym.core.keys import KeyMaker
from designgym.core.metrics import Metrics
from designgym.core.protocols import EquivalenceCache, FingerprintPolicy, Lookup, Simulator
from designgym.core.trial import Keys, Obtained, Provenance, Trial
from designgym.core.workload import Workload

WAIT_S = 5.0  # longest sleep on another asker's reservation before looking again (its lease may have ended)
AGREEMENT = 1e-9  # relative difference of metrics up to which an audited measurement confirms a functional hit

Execute = Callable[[Sequence[Design], Workload, float, int], list[Metrics]]


@dataclass
class Counts:
    """What an evaluator did; times in seconds."""

    asked: int = 0
    measured: int = 0
    exact_hits: int = 0
    functional_hits: int = 0
    audited: int = 0
    infeasible: int = 0
    failed: int = 0
    measure_s: float = 0.0
    probe_s: float = 0.0
    total_s: float = 0.0

    @property
    def saved_s(self) -> float:
        """Seconds saved: the hits at the mean measured cost, less the probing."""
        mean = self.measure_s / self.measured if self.measured else 0.0
        return (self.exact_hits + self.functional_hits) * mean - self.probe_s


class Evaluator:
    """Canonicalise, look up, reserve, probe, simulate, fill.

    Args:
        simulator: What measures.
        workload: What it measures on.
        cache: Where results are shared; None measures every design.
        fingerprints: When to probe and what to believe; None never probes.
        fidelity: Fraction of full fidelity in (0, 1].
        seed: Seed handed to the simulator; without effect if it is deterministic.
        execute: How a batch is run, for instance on a pool of workers; calls ``simulator.evaluate`` in this process by default.
    """

    def __init__(
        self,
        simulator: Simulator,
        workload: Workload,
        *,
        cache: EquivalenceCache | None = None,
        fingerprints: FingerprintPolicy | None = None,
        fidelity: float = 1.0,
        seed: int = 0,
        execute: Execute | None = None,
    ) -> None:
        if not 0 < fidelity <= 1:
            raise InputError(f"fidelity must be in (0, 1], got {fidelity!r}")
        self.simulator, self.workload, self.cache, self.fingerprints = simulator, workload, cache, fingerprints
        self.fidelity, self.seed = float(fidelity), 0 if simulator.deterministic else int(seed)
        self.counts = Counts()
        self._keys = KeyMaker(simulator, workload, fidelity=fidelity, seed=self.seed)
        self._execute: Execute = execute or (lambda designs, wl, f, s: simulator.evaluate(designs, wl, fidelity=f, seed=s))
        self._crashes: dict[str, tuple[int, Metrics]] = {}
        self._worker = f"{socket.gethostname()}:{os.getpid()}"

    def keys(self, designs: Sequence[Design], *, probe: bool = False) -> list[Keys]:
        """Return the designs' keys; the functional ones only if ``probe`` and the simulator has a probe."""
        keys = [self._keys.keys(design) for design in designs]
        responses = self.simulator.probe(designs, self.workload, seed=self.seed) if probe and designs else None
        if responses is None:
            return keys
        functional = self._keys.functional(responses)
        return [replace(key, functional=f) for key, f in zip(keys, functional, strict=True)]

    def evaluate(self, designs: Sequence[Design], *, searcher: str = "", run: str = "") -> list[Trial]:
        """Return one trial per design, in order.

        Equal behaviours within the batch are measured once too. A simulator's failure is a status; only misuse raises.

        Raises:
            EvaluationError: If the simulator returns another number of results than designs.
        """
        started, began = time.perf_counter(), time.time()
        batch = _Batch(self, designs)
        try:
            batch.run()
        finally:
            batch.release()
        self.counts.total_s += time.perf_counter() - started
        sim, base = self.simulator, self.workload
        provenance = Provenance(
            sim.name, sim.version, sim.space.version, base.name, base.digest, self.fidelity, self.seed, searcher, run, self._worker, began
        )
        return [Trial(item.design, item.metrics, replace(provenance, wall_s=item.wall_s), item.keys, item.obtained) for item in batch.items]

    def statistics(self) -> dict[str, float]:
        """Return the counts, with those of the fingerprints and the cache under their prefixes."""
        figures: dict[str, float] = asdict(self.counts) | {"saved_s": self.counts.saved_s}
        if self.fingerprints is not None:
            figures |= {f"fingerprint_{name}": value for name, value in self.fingerprints.statistics().items()}
        if self.cache is not None:
            figures |= {f"cache_{name}": value for name, value in self.cache.statistics().items()}
        return figures

    # ---- inside --------------------------------------------------------------------------------------------------------

    def _measure(self, designs: Sequence[Design], measurements: int) -> list[Metrics]:
        """Run the simulator on a batch; an exception fails the design that raises it, not its neighbours."""
        seed = self.seed
        if measurements and not self.simulator.deterministic:
            seed = int(np.random.SeedSequence([self.seed, measurements]).generate_state(1)[0])
        started = time.perf_counter()
        try:
            results = list(self._execute(designs, self.workload, self.fidelity, seed))
        except EvaluationError:
            raise
        except Exception as error:
            if len(designs) > 1:
                return [result for design in designs for result in self._measure([design], measurements)]
            results = [Metrics.failed(f"{self.simulator.name} raised {type(error).__name__}: {error}")]
        seconds = time.perf_counter() - started
        if len(results) != len(designs):
            raise EvaluationError(f"{self.simulator.name} returned {len(results)} results for {len(designs)} designs, expected one each")
        results = [result.checked(self.simulator.metrics) for result in results]
        results = [result if result.cost_s else replace(result, cost_s=seconds / len(designs)) for result in results]
        self.counts.measured += len(designs)
        self.counts.measure_s += seconds
        if self.fingerprints is not None:
            self.fingerprints.measured(len(designs), seconds)
        return results

    def _remembered_crash(self, key: str) -> Metrics | None:
        times, metrics = self._crashes.get(key, (0, None))
        return metrics if times >= 2 else None


@dataclass
class _Item:
    """One design of a batch on its way."""

    position: int
    design: Design
    keys: Keys
    metrics: Metrics
    done: bool = False
    obtained: Obtained = "measured"
    wall_s: float = 0.0


class _Batch:
    """The passage of one batch; holds the reservations, so that whatever happens none is left behind."""

    def __init__(self, evaluator: Evaluator, designs: Sequence[Design]) -> None:
        self._evaluator = evaluator
        self._cache = evaluator.cache
        self._reserved: dict[str, Lookup] = {}
        pending = Metrics.failed("not evaluated")
        self.items = [
            _Item(i, design, keys, pending) for i, (design, keys) in enumerate(zip(designs, evaluator.keys(designs), strict=True))
        ]
        evaluator.counts.asked += len(designs)

    def run(self) -> None:
        """Bring every item to a result."""
        self._refuse_illegal()
        if self._cache is None:
            self._measure([item for item in self.items if not item.done])
            return
        while waiting := [item for item in self.items if not item.done]:
            first = {item.keys.canonical: item for item in reversed(waiting)}  # the first item of each key; others follow next round
            answers = dict(zip(first, self._cache.lookup(list(first)), strict=True))
            for key, answer in answers.items():
                if answer.kind == "hit" and answer.metrics is not None:
                    self._finish(first[key], answer.metrics, "exact hit")
            self._reserved = {key: answer for key, answer in answers.items() if answer.kind == "reserved"}
            self._recall_crashes(first)
            new = sorted((first[key] for key in self._reserved), key=lambda item: item.position)
            self._measure(self._without_functional_hits(new))
            if not new and (busy := [key for key, answer in answers.items() if answer.kind == "busy"]):
                self._cache.wait(busy[0], WAIT_S)

    def release(self) -> None:
        """End what is still reserved, without results."""
        for key, answer in self._reserved.items():
            if self._cache is not None:
                self._cache.fail(key, answer.token)
        self._reserved = {}

    def _finish(self, item: _Item, metrics: Metrics, obtained: Obtained, wall_s: float = 0.0) -> None:
        item.metrics, item.obtained, item.wall_s, item.done = metrics, obtained, wall_s, True
        counts = self._evaluator.counts
        counts.exact_hits += obtained == "exact hit"
        counts.functional_hits += obtained == "functional hit"
        counts.audited += obtained == "audited"
        counts.failed += metrics.status in ("failed", "timeout")

    def _refuse_illegal(self) -> None:
        for item in self.items:
            if reasons := self._evaluator.simulator.space.violations(item.design):
                self._finish(item, Metrics.infeasible(reasons), "measured")
                self._evaluator.counts.infeasible += 1

    def _recall_crashes(self, first: dict[str, _Item]) -> None:
        for key in list(self._reserved):
            if (crash := self._evaluator._remembered_crash(key)) is not None:
                self._fail(key)
                self._finish(first[key], crash, "exact hit")

    def _without_functional_hits(self, items: list[_Item]) -> list[_Item]:
        """Probe the items; serve those whose behaviour is known, and return the others. Twins within the batch wait for a later round."""
        policy, cache, simulator = self._evaluator.fingerprints, self._cache, self._evaluator.simulator
        if policy is None or cache is None or not items or not policy.wants_probe():
            return items
        unprobed = [item for item in items if item.keys.functional is None]
        if unprobed:
            started = time.perf_counter()
            responses = simulator.probe([item.design for item in unprobed], self._evaluator.workload, seed=self._evaluator.seed)
            seconds = time.perf_counter() - started
            if responses is None:
                return items
            policy.probed(len(unprobed), seconds)
            self._evaluator.counts.probe_s += seconds
            for item, key in zip(unprobed, self._evaluator._keys.functional(responses), strict=True):
                item.keys = replace(item.keys, functional=key)
        functional = [item.keys.functional or "" for item in items]
        known = cache.resolve(functional)
        measure: list[_Item] = []
        seen: set[str] = set()
        for item, key, canonical in zip(items, functional, known, strict=True):
            served = cache.peek(canonical) if canonical is not None and canonical != item.keys.canonical else None
            decision = policy.verdict(key, item.keys.canonical) if served is not None else "ignore"
            if served is not None and decision == "serve":
                self._fail(item.keys.canonical)
                self._finish(item, served, "functional hit")
            elif served is None and key in seen:
                self._fail(item.keys.canonical)  # its twin is measured in this round: look again in the next
            else:
                seen.add(key)
                measure.append(item)
                if served is not None and decision == "audit":
                    item.obtained, item.metrics = "audited", served
        return measure

    def _measure(self, items: list[_Item]) -> None:
        """Measure items in as few simulator calls as their measurement counts allow, and fill the cache."""
        by_count: dict[int, list[_Item]] = {}
        for item in items:
            answer = self._reserved.get(item.keys.canonical)
            by_count.setdefault(answer.measurements if answer else 0, []).append(item)
        for measurements, group in by_count.items():
            results = self._evaluator._measure([item.design for item in group], measurements)
            for item, metrics in zip(group, results, strict=True):
                self._settle(item, metrics)

    def _settle(self, item: _Item, metrics: Metrics) -> None:
        key, policy, cost_s = item.keys.canonical, self._evaluator.fingerprints, metrics.cost_s
        audited = item.obtained == "audited"
        if audited and policy is not None and item.keys.functional:
            policy.audited(item.keys.functional, _agree(item.metrics, metrics))
        if metrics.status in ("failed", "timeout"):
            self._evaluator._crashes[key] = (self._evaluator._crashes.get(key, (0, metrics))[0] + 1, metrics)
            self._fail(key)
        elif self._cache is not None and (answer := self._reserved.pop(key, None)) is not None:
            metrics = self._cache.fill(key, answer.token, metrics)
            if item.keys.functional:
                self._cache.link({item.keys.functional: key})
        self._finish(item, metrics, "audited" if audited else "measured", cost_s)

    def _fail(self, key: str) -> None:
        if self._cache is not None and (answer := self._reserved.pop(key, None)) is not None:
            self._cache.fail(key, answer.token)


def _agree(served: Metrics, measured: Metrics) -> bool:
    if served.status != measured.status:
        return False
    return all(
        abs(served.values[name] - value) <= AGREEMENT * max(abs(value), abs(served.values[name])) for name, value in measured.values.items()
    )
