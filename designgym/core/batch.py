"""The passage of one batch through an evaluator: look up, reserve, probe, measure, fill."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from designgym.core.design import Design
from designgym.core.functional_hits import Wanted, sort_hits
from designgym.core.keys import KeyMaker
from designgym.core.measuring import MISUSE, CrashMemory, Measurer, agree
from designgym.core.metrics import Metrics
from designgym.core.protocols import EquivalenceCache, FingerprintPolicy, Lookup, Simulator
from designgym.core.trial import Keys, Obtained

WAIT_S = 5.0  # longest sleep on another asker's reservation before looking again

PENDING = Metrics.failed("not evaluated")

log = logging.getLogger("designgym.evaluator")


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

    def add(self, other: Counts) -> None:
        """Add another's counts to these."""
        mine = vars(self)
        for name, value in vars(other).items():
            mine[name] += value


@dataclass
class _Item:
    """One design of a batch on its way; ``claim`` is the functional hit that a measurement is to check."""

    design: Design
    keys: Keys
    metrics: Metrics
    done: bool = False
    obtained: Obtained = "measured"
    wall_s: float = 0.0
    claim: Metrics | None = None


class ProbeMemory:
    """Functional keys by canonical key: a design that was served what another one did, and comes again, is not probed again.

    Args:
        limit: How many are remembered (the latest).
    """

    def __init__(self, limit: int = 100_000) -> None:
        self._limit = limit
        self._functional: dict[str, str] = {}
        self._lock = threading.Lock()

    def note(self, canonical: str, functional: str) -> None:
        """Remember a functional key."""
        with self._lock:
            self._functional[canonical] = functional
            if len(self._functional) > self._limit:
                del self._functional[next(iter(self._functional))]

    def recall(self, canonical: str) -> str | None:
        """Return the functional key, or None for a design that was not probed."""
        return self._functional.get(canonical)


@dataclass(frozen=True)
class Context:
    """What all batches of an evaluator share.

    Attributes:
        simulator: What is evaluated.
        keys: Makes the keys.
        measure: Calls the simulator.
        crashes: Designs given up.
        probed: Functional keys of designs probed before.
        cache: Where results are shared, if at all.
        fingerprints: When to probe and what to believe; None never probes.
        agreement: Relative difference up to which an audit confirms a functional hit.
    """

    simulator: Simulator
    keys: KeyMaker
    measure: Measurer
    crashes: CrashMemory
    probed: ProbeMemory
    cache: EquivalenceCache | None
    fingerprints: FingerprintPolicy | None
    agreement: float


class Batch:
    """The passage of one batch; holds the reservations, so that whatever happens none is left behind."""

    def __init__(self, context: Context, designs: Sequence[Design]) -> None:
        self._context, self._cache, self._policy = context, context.cache, context.fingerprints
        self._reserved: dict[str, Lookup] = {}
        self._held_elsewhere = ""  # a functional key that another asker is measuring
        self.items = [_Item(design, context.keys.keys(design), PENDING) for design in designs]
        self.counts = Counts(asked=len(designs))

    def run(self) -> None:
        """Bring every item to a result."""
        for item in self.items:
            if reasons := self._context.simulator.space.violations(item.design):
                self._finish(item, Metrics.infeasible(reasons), "refused")
        while waiting := [item for item in self.items if not item.done]:
            if self._cache is None:
                self._measure(waiting)
                return
            first: dict[str, _Item] = {}
            for item in waiting:
                first.setdefault(item.keys.canonical, item)  # its equals follow in the next round, as exact hits
            answers = dict(zip(first, self._cache.lookup(list(first)), strict=True))
            self._reserved = {key: answer for key, answer in answers.items() if answer.kind == "reserved"}
            for key, answer in answers.items():
                if answer.metrics is not None:
                    self._finish(first[key], answer.metrics, "exact hit")
            if self._reserved:
                new, self._held_elsewhere = self._without_crashes([first[key] for key in self._reserved]), ""
                self._measure(new := self._without_functional_hits(new))
                if not new and self._held_elsewhere:
                    self._cache.wait(self._held_elsewhere, WAIT_S)
            elif busy := [key for key, answer in answers.items() if answer.kind == "busy"]:
                self._cache.wait(busy[0], WAIT_S)  # nothing is reserved here, so two batches never wait for each other

    def release(self, items: Iterable[_Item] | None = None) -> None:
        """End reservations without results, and audits without findings: those of some items, or all that are left."""
        items = None if items is None else list(items)
        for item in self.items if items is None else items:
            self._end_audit(item, None)
        keys = list(self._reserved) if items is None else [item.keys.canonical for item in items]
        ended = {key: answer.token for key in keys if (answer := self._reserved.pop(key, None)) is not None}
        if ended and self._cache is not None:
            self._cache.fail(ended)

    def _finish(self, item: _Item, metrics: Metrics, obtained: Obtained, wall_s: float = 0.0) -> None:
        item.metrics, item.obtained, item.wall_s, item.done = metrics, obtained, wall_s, True
        self.counts.exact_hits += obtained == "exact hit"
        self.counts.functional_hits += obtained == "functional hit"
        self.counts.audited += obtained == "audited"
        self.counts.infeasible += metrics.status == "infeasible"
        self.counts.failed += metrics.status in ("failed", "timeout")

    def _without_crashes(self, items: list[_Item]) -> list[_Item]:
        crashes = [(item, crash) for item in items if (crash := self._context.crashes.recall(item.keys.canonical)) is not None]
        self.release(item for item, _ in crashes)
        for item, crash in crashes:
            self._finish(item, crash, "exact hit")
        return [item for item in items if not item.done]

    def _without_functional_hits(self, items: list[_Item]) -> list[_Item]:
        """Probe the items; serve those whose behaviour is known, and return the others. Twins within the batch wait for a later round."""
        policy, cache = self._policy, self._cache
        if policy is None or cache is None:
            return items
        for item in items:
            if item.keys.functional is None and (known_key := self._context.probed.recall(item.keys.canonical)) is not None:
                item.keys = replace(item.keys, functional=known_key)
        unprobed = [item for item in items if item.keys.functional is None]
        self._probe(unprobed[: policy.wants_probes(len(unprobed))], policy)
        if not any(item.keys.functional for item in items):
            return items
        by_key = {item.keys.canonical: item for item in items}
        found = sort_hits(cache, policy, [Wanted(key, self._reserved[key].token, item.keys.functional) for key, item in by_key.items()])
        for key, served in found.serve.items():
            self._finish(by_key[key], served, "functional hit")
        for key, claim in found.audits.items():
            by_key[key].claim = claim
        self._held_elsewhere = found.busy
        self.release(by_key[key] for key in (*found.serve, *found.leave))
        return [by_key[key] for key in found.measure]

    def _end_audit(self, item: _Item, result: Metrics | None) -> None:
        """Tell the policy what an item's audit found, if it is one; nothing without a result."""
        claim, functional = item.claim, item.keys.functional
        if claim is not None and functional is not None and self._policy is not None:
            item.claim = None
            agreed = None if result is None else agree(claim, result, self._context.agreement)
            if self._policy.audited(functional, agreed):
                item.obtained = "audited"

    def _probe(self, items: list[_Item], policy: FingerprintPolicy) -> None:
        """Give the items functional keys. A probe that raises does not fail the search: that is logged, and the policy told to stop."""
        if not items:
            return
        name, started = self._context.simulator.name, time.perf_counter()
        try:
            functional = self._context.keys.functional([item.design for item in items])
        except MISUSE:
            raise
        except Exception as error:
            log.warning("the probe of %s raised %s: %s; designs are measured without fingerprints", name, type(error).__name__, error)
            policy.stop(f"the probe of {name} raised {type(error).__name__}: {error}")
            return
        finally:
            seconds = time.perf_counter() - started
            self.counts.probe_s += seconds
        if functional is None:
            policy.stop(f"{name} has no probe")
            return
        policy.probed(len(items), seconds)
        for item, key in zip(items, functional, strict=True):
            item.keys = replace(item.keys, functional=key)
            self._context.probed.note(item.keys.canonical, key)

    def _measure(self, items: list[_Item]) -> None:
        """Measure items in as few simulator calls as their measurement counts allow, and fill the cache."""
        by_count: dict[int, list[_Item]] = {}
        for item in items:
            answer = self._reserved.get(item.keys.canonical)
            by_count.setdefault(answer.measurements if answer else 0, []).append(item)
        for measurements, group in by_count.items():
            results, seconds = self._context.measure([item.design for item in group], measurements)
            self.counts.measured += len(group)
            self.counts.measure_s += seconds
            if self._policy is not None:
                self._policy.measured(len(group), seconds)
            self._settle(group, results)

    def _settle(self, items: list[_Item], results: list[Metrics]) -> None:
        costs = [result.cost_s for result in results]
        for item, metrics in zip(items, results, strict=True):
            self._context.crashes.note(item.keys.canonical, metrics)
        good = {item.keys.canonical: i for i, item in enumerate(items) if results[i].status in ("ok", "infeasible")}
        for i, item in enumerate(items):
            self._end_audit(item, results[i] if item.keys.canonical in good else None)
        if self._cache is not None:
            means = self._cache.fill([(key, self._reserved[key].token, results[i]) for key, i in good.items()])
            for (key, i), mean in zip(good.items(), means, strict=True):
                results[i] = mean
                del self._reserved[key]
            self._cache.link({item.keys.functional: key for key, i in good.items() if (item := items[i]).keys.functional is not None})
            self.release(items)
        for item, metrics, cost_s in zip(items, results, costs, strict=True):
            self._finish(item, metrics, item.obtained, cost_s)
